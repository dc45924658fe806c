"""Red when: a capture that cannot be made passes for one, or the judge's findings on the target are
lost or mixed up with the initiator's."""

import json
import pathlib
import socket
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from lib import wiretap  # noqa: E402


def program(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + script, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def dumpcap(monkeypatch, tmp_path):
    def install(script):
        program(tmp_path / "path" / "dumpcap", script)
        monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    return install


def test_it_captures_all_of_the_block_to_the_last_packet(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        capture = tmp_path / "c.pcapng"
        try:
            with wiretap.wiretap(port, capture), socket.create_connection(("127.0.0.1", port)) as one:
                one.sendall(b"the first and the last")
        except wiretap.WiretapError as error:
            pytest.skip(str(error))
    assert b"the first and the last" in capture.read_bytes()


def test_a_dumpcap_that_writes_no_packet_is_told(dumpcap, monkeypatch, tmp_path):
    monkeypatch.setattr(wiretap, "STOP_CEILING_S", 0.2)
    dumpcap('while [ "$1" != -w ]; do shift; done\necho x > "$2"\nexec sleep 60\n')
    with pytest.raises(wiretap.WiretapError, match="did not write the last packet"):
        with wiretap.wiretap(3260, tmp_path / "c.pcapng"):
            assert (tmp_path / "c.pcapng").stat().st_size > 0


def test_a_dumpcap_that_may_not_is_told(dumpcap, tmp_path):
    dumpcap("echo you have no permission >&2\nexit 1\n")
    with pytest.raises(wiretap.WiretapError, match="you have no permission"):
        with wiretap.wiretap(3260, tmp_path / "c.pcapng"):
            pytest.fail("nothing is captured")


def test_findings_of_the_target_only(monkeypatch, tmp_path):
    monkeypatch.setenv("TSIH_BIN", str(tmp_path))
    lines = [{"clause": "A", "party": "target"}, {"clause": "B", "party": "initiator"}]
    program(tmp_path / "tsih-judge",
            "".join(f"echo '{json.dumps(line)}'\n" for line in lines) + "exit 1\n")
    assert [f["clause"] for f in wiretap.target_findings(tmp_path / "c", "tsihd")] == ["A"]


def test_a_capture_without_pdus_is_no_pass(monkeypatch, tmp_path):
    monkeypatch.setenv("TSIH_BIN", str(tmp_path))
    program(tmp_path / "tsih-judge", "exit 3\n")
    with pytest.raises(wiretap.WiretapError, match="saw nothing"):
        wiretap.target_findings(tmp_path / "c", "tsihd")


def test_a_judge_that_fails_is_no_pass(monkeypatch, tmp_path):
    monkeypatch.setenv("TSIH_BIN", str(tmp_path))
    program(tmp_path / "tsih-judge", "echo broken >&2\nexit 9\n")
    with pytest.raises(wiretap.WiretapError, match="not judged: broken"):
        wiretap.target_findings(tmp_path / "c", "tsihd")
