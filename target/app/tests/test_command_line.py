"""Bad input gets one line that names the thing and the way out, status 2, and nothing half-done."""

import json
import socket

import pytest
from conftest import ROOT, run

SAMPLE = ROOT / "target" / "config" / "tests" / "data" / "saveconfig.json"


def refused(*arguments: str) -> str:
    """The one line of a refusal."""
    done = run("tsihd", *arguments)
    assert done.returncode == 2, done
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("tsihd: "), done.stderr
    return lines[0]


@pytest.mark.parametrize("arguments, says", [
    ([], "give --config FILE or --serve DISK"),
    (["--sevre", "x"], "--sevre"),
    (["--serve", "ram:1M", "--config", "x"], "--config excludes --serve"),
    (["--size", "1G"], "--size requires --serve"),
    (["--serve", "/nonexistent/disk"], "make it with --size"),
    (["--serve", "/nonexistent/disk", "--size", "1G"], "folder does not exist"),
    (["--serve", "/"], "neither a regular file nor a block device"),
    (["--serve", "ram:lots"], "ram:lots"),
    (["--serve", "ram:1M", "--portal", "somewhere"], "--portal: expected an IP address"),
    (["--serve", "ram:1M", "--portal", "192.0.2.1:0"], "192.0.2.1"),
    (["--serve", "ram:1M", "--iqn", "disk"], "--iqn: expected an iSCSI name"),
    (["--serve", "ram:1M", "--attribute", "max_sesions=1"], 'did you mean "max_sessions"?'),
    (["--serve", "ram:1M", "--parameter", "MaxConnections=0"], "from 1 to 65535"),
    (["--serve", "ram:1M", "--log-level", "loud"], "--log-level"),
    (["--serve", "ram:1M", "--portal", "127.0.0.1:0", "--control", "/nonexistent/x"], "--control"),
    (["--config", "/nonexistent"], "/nonexistent: cannot be read"),
])
def test_refusals(arguments, says):
    assert says in refused(*arguments)


def test_a_missing_disk_of_a_configuration_is_named():
    assert "storage_objects[0]: /srv/disks/first.img" in refused("--config", SAMPLE)


def test_an_unknown_attribute_is_named_by_its_path(tmp_path):
    text = SAMPLE.read_text().replace('"login_timeout"', '"login_timeuot"', 1)
    (tmp_path / "bad.json").write_text(text)
    line = refused("--config", tmp_path / "bad.json")
    assert 'targets[0].tpgs[0].attributes.login_timeuot: ' in line
    assert 'did you mean "login_timeout"?' in line


def test_check_tells_all_refusals(tmp_path):
    document = json.loads(SAMPLE.read_text())
    document["targets"][0]["tpgs"][0]["attributes"]["t10_pi"] = 1
    document["storage_objects"][0]["plugin"] = "user"
    (tmp_path / "bad.json").write_text(json.dumps(document))
    done = run("tsihd", "--check", "--config", tmp_path / "bad.json")
    assert done.returncode == 2
    assert "storage_objects[0].plugin" in done.stderr and "attributes.t10_pi" in done.stderr
    assert "more: tsihd --check" in refused("--config", tmp_path / "bad.json")
    assert run("tsihd", "--check", "--config", SAMPLE).returncode == 0


def test_a_taken_portal_is_named_and_no_disk_is_made(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        portal = f"127.0.0.1:{other.getsockname()[1]}"
        line = refused("--serve", tmp_path / "new.img", "--size", "64M", "--portal", portal)
    assert portal in line
    assert not (tmp_path / "new.img").exists()


def test_help_version_and_the_list_of_attributes():
    assert "--serve" in run("tsihd", "--help").stdout
    assert run("tsihd", "--version").stdout.startswith("tsihd ")
    listed = run("tsihd", "--list-attributes").stdout
    assert "session_guard" in listed and "t10_pi" in listed


def test_secrets_are_made_and_weak_ones_told():
    """RFC 3720 8.2.1: 128 random bits; less than 96 are served with a warning."""
    made = {run("tsihd", "--make-secret").stdout for _ in range(3)}
    assert len(made) == 3
    assert all(len(secret) == 33 and int(secret, 16) > 0 for secret in made)
    for secret, warned in (("short", True), (made.pop().strip(), False)):
        done = run("tsihd", "--check", "--serve", "ram:1M", "--chap", f"user:{secret}")
        assert done.returncode == 0
        assert ("warning: CHAP secrets shorter than 12 bytes: --chap" in done.stdout) == warned


@pytest.mark.parametrize("arguments, status", [
    ([], 2), (["nonsense"], 2), (["resize", "disk"], 2), (["ping"], 3),
])
def test_tsihctl_says_what_kind_of_failure_it_was(arguments, status, tmp_path):
    done = run("tsihctl", "--control", tmp_path / "none.sock", *arguments)
    assert done.returncode == status
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("tsihctl: ")


def test_the_page_of_commands_is_what_the_program_prints():
    """docs/scsi-commands.md is written from the table that dispatches the commands."""
    page = (ROOT / "docs" / "scsi-commands.md").read_text()
    assert run("tsihd", "--list-commands").stdout == page, \
        "write it anew: build/bin/tsihd --list-commands > docs/scsi-commands.md"
