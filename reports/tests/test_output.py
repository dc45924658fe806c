"""What is written: pages, JUnit, JSON, the terminal; escaping, missing data, exit statuses."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from sample import HOSTILE, finding, ladder_lines, make_run, make_scenario, sample, write_json, write_lines
from sample_catalogue import clause_text

from tsih_report import catalogue, clauses_cli, cli, ladder, timeline, words
from tsih_report.merge import merge
from tsih_report.runs import read_run

VOID = {"meta", "link", "input", "br", "hr", "img"}


class Strict(HTMLParser):
    """Fails on a tag that is closed in the wrong order; collects ids, links and script texts."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.scripts = [], [], [], 0
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.scripts += tag == "script"
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if "href" in attributes:
            self.links.append(attributes["href"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> at {self.getpos()}"


@pytest.fixture
def report(book, tmp_path, capsys):
    """report(folders...): runs the program, returns the folder it wrote."""
    def run(*folders):
        out = tmp_path / "out"
        assert cli.main([*map(str, folders), "--out", str(out), "--catalogue", str(book)]) == 0
        return out
    return run


def test_the_sample_report_is_well_formed_and_every_link_leads_somewhere(tmp_path, capsys):
    sample(tmp_path / "runs")
    out = tmp_path / "out"
    assert cli.main([str(tmp_path / "runs"), "--out", str(out)]) == 0
    pages = {p.relative_to(out).as_posix(): Strict(p.read_text()) for p in out.rglob("*.html")}
    assert len(pages) > 60
    for name, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), name
        assert page.scripts == (1 if name == "index.html" else 0)
        for link in page.links:
            assert not re.match(r"(https?:)?//", link), link
            path, _, anchor = link.partition("#")
            if link.startswith("data:"):
                continue
            target = (out / name).parent.joinpath(path).resolve() if path else out / name
            assert target.is_file(), f"{name} links to {link}"
            if anchor and target.suffix == ".html" and not anchor.startswith("frame-"):
                assert anchor in pages[target.relative_to(out.resolve()).as_posix()].ids, f"{name}: {link}"


def test_the_same_folders_give_the_same_bytes(report, tmp_path):
    folder = make_run(tmp_path / "run", [finding()], what="scenarios")
    make_scenario(folder, "s.t", "alpha", extra_io=3)
    first = {p: p.read_bytes() for p in report(folder).rglob("*") if p.is_file()}
    assert first == {p: p.read_bytes() for p in report(folder).rglob("*") if p.is_file()}


def test_what_a_peer_sent_stays_text(report, tmp_path):
    folder = make_run(tmp_path / "run", [finding("violation", message=HOSTILE, case="a.b"),
                                         finding("pass", scenario=HOSTILE, system=HOSTILE)])
    write_lines(folder / "cases" / "a.b.ladder.jsonl", ladder_lines(1))
    make_scenario(folder, "s.t", "alpha", extra_io=0, title=HOSTILE, reason=HOSTILE, metrics={HOSTILE: HOSTILE})
    out = report(folder)
    for page in out.rglob("*.html"):
        text = page.read_text()
        assert "<script>alert" not in text, page
        assert Strict(text).scripts <= 1
    assert "&lt;script&gt;alert" in (out / "cases" / "a.b.html").read_text()
    ElementTree.parse(out / "junit.xml")


# Two clicks from the first page: its clauses, and the packets of a verdict.
def test_every_verdict_of_a_case_leads_to_its_packets(report, tmp_path):
    folder = make_run(tmp_path / "run", [finding("violation", "R3720-10.13.5-01", case="nop.sample") | {
        "evidence": {"file": "cases/nop.sample.ladder.jsonl", "line": 2}}])
    page = (report(folder) / "index.html").read_text()
    row = page[page.index('id="R3720-10.13.5-01"'):]
    assert '<a class="cell" href="cases/nop.sample.html#alpha-2"' in row[:row.index("</tr>")]


def test_a_case_tells_which_tests_of_other_suites_it_stands_for(report, tmp_path):
    folder = make_run(tmp_path / "run", [finding(case="a.b"), finding(case="a.c")])
    write_json(folder / "cases.json", [{"case": "a.b", "clauses": [], "tags": ["FFP 16.1", HOSTILE]},
                                       {"case": "a.c", "clauses": [], "tags": None}])
    out = report(folder)
    page = (out / "cases" / "a.b.html").read_text()
    assert "UNH-IOL tests: FFP 16.1, " in page and "<script>alert" not in page
    assert "UNH-IOL" not in (out / "cases" / "a.c.html").read_text()


def test_evidence_outside_of_the_run_folder_is_neither_read_nor_copied(report, tmp_path):
    (tmp_path / "secret.ladder.jsonl").write_text('{"event": "note", "note": "outside"}\n')
    folder = make_run(tmp_path / "run", [
        finding(case="a.b", evidence={"file": "../secret.ladder.jsonl", "line": 1}),
        finding(case="../../secret", evidence={"file": "/etc/hostname", "line": 1})])
    out = report(folder)
    assert all("outside" not in p.read_text() for p in out.rglob("*.html"))
    assert sorted(p.name for p in (out / "cases").iterdir()) == ["_.._secret.html", "a.b.html"]


def test_junit_has_a_suite_for_each_system_and_counts_that_add_up(report, tmp_path):
    folder = make_run(tmp_path / "run", [
        finding("pass", case="a.one", duration_ms=5), finding("violation", case="a.two", message="expected x, got y"),
        finding("unsupported", case="a.three"), finding("error", case="a.four"), finding("warning", case="a.five"),
        finding("pass", case="a.two", system="beta")])
    make_scenario(folder, "s.t", "alpha", "failed", extra_io=0)
    root = ElementTree.parse(report(folder) / "junit.xml").getroot()
    suites = {s.get("name"): s for s in root}
    assert sorted(suites) == ["conformance.alpha", "conformance.beta", "scenarios.alpha"]
    alpha = suites["conformance.alpha"]
    assert [alpha.get(k) for k in ("tests", "failures", "errors", "skipped", "time")] == ["5", "1", "1", "1", "0.005"]
    assert alpha.find(".//failure").get("message") == "expected x, got y"
    assert suites["scenarios.alpha"].find(".//failure").get("message") == "expected one writer, got two"
    for suite in root:
        assert len(suite) == int(suite.get("tests"))


def test_report_json_tells_verdicts_and_what_is_uncovered(report, tmp_path):
    out = report(make_run(tmp_path / "run", [finding("violation")]))
    told = json.loads((out / "report.json").read_text())
    assert told["schema"] == 1
    assert told["systems"]["alpha"]["clauses"]["violation"] == 1
    assert told["uncovered"] == ["R3720-10.13.5-01", "R3720-10.13.5-02", "R3720-10.13.5-06"]
    clause = next(c for c in told["clauses"] if c["id"] == "R3720-10.13.5-05")
    assert clause["verdicts"] == {"alpha": "violation"} and clause["cases"] == ["login.sample"]


def test_missing_data_is_shown_as_missing(report, tmp_path):
    folder = tmp_path / "run"
    write_json(folder / "run.json", {"what": "scenarios"})
    write_json(folder / "scenarios" / "s.t@alpha" / "scenario.json",
               {"scenario": "s.t", "system": "alpha", "outcome": "passed", "metrics": {"takeover_ms": None}})
    (folder / "scenarios" / "s.u@alpha").mkdir()
    out = report(folder)
    page = (out / "scenarios" / "s.t@alpha.html").read_text()
    for told in ("No steps were recorded", "no capture was kept", "No logs were kept", "<dd>missing</dd>",
                 "wrote no findings"):
        assert told in page
    assert "scenario.json was never written" in (out / "scenarios" / "s.u@alpha.html").read_text()
    index = (out / "index.html").read_text()
    assert "it was cut short" in index and "the run folder does not say" in index


def test_pages_of_an_earlier_report_do_not_stay(report, tmp_path):
    report(make_run(tmp_path / "a", [finding(case="a.old")]))
    out = report(make_run(tmp_path / "b", [finding(case="a.new")]))
    assert [p.name for p in (out / "cases").iterdir()] == ["a.new.html"]


def test_the_terminal_gets_a_line_for_each_system_and_the_path(report, tmp_path, capsys):
    out = report(make_run(tmp_path / "run", [finding("violation"), finding(system="beta")], systems=["alpha", "beta"]))
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["alpha  1 clauses judged: 1 violated", "beta   1 clauses judged: 1 passed",
                     "1 of 4 testable clauses covered, 3 uncovered, 1 not testable", f"report: {out / 'index.html'}"]


@pytest.mark.parametrize("make", [lambda d: d / "none", lambda d: d.mkdir() or d])
def test_a_folder_that_is_no_run_ends_with_one_line_and_status_2(book, tmp_path, capsys, make):
    folder = make(tmp_path / "folder") or tmp_path / "folder"
    assert cli.main([str(folder), "--out", str(tmp_path / "out"), "--catalogue", str(book)]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1 and str(folder) in told.err
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_is_a_file_is_told(book, tmp_path, capsys):
    (tmp_path / "out").write_text("")
    folder = make_run(tmp_path / "run", [])
    assert cli.main([str(folder), "--out", str(tmp_path / "out"), "--catalogue", str(book)]) == 2
    assert str(tmp_path / "out") in capsys.readouterr().err


def test_a_long_ladder_is_cut_plainly_and_keeps_faults_and_evidence():
    lines = ladder_lines(600)
    drawing = ladder.build(lines, [], marked_frames={lines[1500]["frame"]})
    drawn = [r for r in drawing.rows if r.kind != "gap"]
    assert len(drawn) <= ladder.MAX_DRAWN and drawing.total == len(lines)
    hidden = sum(int(r.text.split()[0]) for r in drawing.rows if r.kind == "gap")
    assert hidden + len(drawn) == len(lines)
    assert [r.text for r in drawn if r.kind == "fault"] == ["initiator-a is paused"]
    assert [r.index for r in drawn if r.marked] == [1501]
    assert drawn[0].index == 1 and drawn[-1].index == len(lines)


def test_the_target_stands_between_two_initiators():
    lines = ladder_lines(1)
    assert ladder.build(lines, []).lanes == ["10.7.0.11", "10.7.0.1", "10.7.0.12"]
    guests = [{"name": "target", "role": "target", "address": "10.7.0.1/24"}]
    assert ladder.build(lines, [], guests).lanes == ["10.7.0.11", "target", "10.7.0.12"]


def test_a_ladder_of_odd_lines_is_drawn_and_does_not_crash():
    odd = [{}, {"event": "pdu"}, {"event": "open", "note": 5}, {"event": "note"}, {"event": "strange", "t_ms": "x"},
           {"name": 3, "opcode": "x", "fields": None, "text": "x", "from": 5, "connection": [1]},
           {"event": "pdu", "opcode": 0x21, "fields": {"SCSIStatus": 2, "Response": "0xzz"}, "data_hex": "zz"},
           {"event": "pdu", "opcode": 1, "fields": {"CDB0-7": "0x"}, "text": [["a"], 5]}]
    assert len(ladder.build(odd, []).rows) == len(odd)


def test_a_pdu_is_told_in_words_with_its_codes():
    by_name = {}
    for row in ladder.build(ladder_lines(2), []).rows:
        by_name.setdefault(row.name, []).append(row)
    login, refused = by_name["Login Response"]
    assert (login.flags, login.text, login.status) == (["T"], "stage 1→3", "0x0000 Success")
    assert (refused.text, refused.status) == ("stage 1", "0x0302 Out of resources")
    assert [r.status for r in by_name["SCSI Response"]] == [
        "GOOD", "CHECK CONDITION 6/2a/09 unit attention, capacity data has changed"]
    command = by_name["SCSI Command"][0]
    assert (command.text, command.flags) == ("WRITE(10)", ["F", "W"]) and ("ITT", "0x10") in command.sequence
    assert not any(label == "ITT" for label, _ in by_name["NOP-In"][0].sequence)
    async_message = by_name["Asynchronous Message"][0]
    assert async_message.text == "3 will drop all connections" and async_message.alarming
    assert by_name["Logout Request"][0].text == "0 close the session"
    assert [r.alarming for r in by_name["TCP connection closes"]] == [True]


def test_a_decoder_that_fails_is_told_on_the_page(tmp_path):
    (tmp_path / "capture.pcapng").write_bytes(b"not a capture")
    program = tmp_path / "tool"
    program.write_text('#!/bin/sh\necho \'{"event": "note", "note": "x"}\'\necho "bad magic" >&2\nexit 2\n')
    program.chmod(0o755)
    lines, notes = ladder.decode_capture(tmp_path / "capture.pcapng", program)
    assert len(lines) == 1 and notes == ["tsih-ladder ended with status 2: bad magic"]
    assert "was not found" in ladder.decode_capture(tmp_path / "capture.pcapng", None)[1][0]


def test_steps_are_placed_on_one_axis():
    story = timeline.build([{"t_ms": 0, "kind": "step", "text": "a"}, {"t_ms": 500, "kind": "fault", "text": "b"},
                            {"t_ms": 900, "duration_ms": 1100, "kind": "command"}], 1000)
    assert story.total_ms == 2000 and story.faults == [25.0]
    assert (story.steps[2].left, story.steps[2].width) == (45.0, 55.0)


def test_a_long_command_is_told_by_its_beginning():
    steps = timeline.build([{"kind": "command", "text": "make\na target"}, {"kind": "command", "text": "ls"},
                            {"kind": "step", "text": "two\nlines"}], 0).steps
    assert [(s.text, s.rest) for s in steps] == [("make …", "make\na target"), ("ls", None), ("two\nlines", None)]


@pytest.mark.parametrize("name, value, told", [
    ("takeover_ms", 412, ("takeover", "412 ms")), ("takeover_ms", 31500, ("takeover", "31.5 s")),
    ("capacity_bytes", 2 << 30, ("capacity", "2 GiB (2\u202f147\u202f483\u202f648 bytes)")),
    ("capacity_bytes", 1000, ("capacity", "1\u202f000 bytes")),
    ("reinstatements", 8, ("reinstatements", "8")), ("seen", None, ("seen", "missing"))])
def test_metrics_carry_their_units(name, value, told):
    assert words.metric(name, value) == told


def test_backquotes_become_code_and_nothing_else_does():
    assert words.ticks("guard `reject` & <b>") == "guard <code>reject</code> &amp; &lt;b&gt;"
    assert words.ticks("`<i>`") == "<code>&lt;i&gt;</code>" and words.ticks(None) == ""


def test_tsih_clauses_lists_what_is_uncovered(book, tmp_path, capsys):
    folder = make_run(tmp_path / "run", [finding()])
    assert clauses_cli.main(["--catalogue", str(book), "--runs", str(folder), "--uncovered"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[:-1]] == [f"R3720-10.13.5-{n}" for n in ("01", "02", "06")]
    assert out.splitlines()[-1].startswith("3 clauses, 3 testable, 0 covered")


def test_what_cannot_be_told_of_a_party_is_not_uncovered_for_it(book, tmp_path, capsys):
    path = next(book.glob("section-*.toml"))
    path.write_text(path.read_text() + clause_text("09", party='"both"', not_testable='{initiator = "Nobody sees it."}'))
    for party, uncovered in (("initiator", False), ("target", True)):
        assert clauses_cli.main(["--catalogue", str(book), "--runs", "--uncovered", "--party", party]) == 0
        assert ("R3720-10.13.5-09" in capsys.readouterr().out) is uncovered
    assert clauses_cli.main(["--catalogue", str(book), "R3720-10.13.5-09", "--runs"]) == 0
    assert "not testable of initiators: Nobody sees it." in capsys.readouterr().out
    view = merge([read_run(make_run(tmp_path / "run", [], initiator="alpha"))],
                 catalogue.load(book))
    assert view.system("alpha").states["R3720-10.13.5-09"] == "uncoverable"


@pytest.mark.parametrize("arguments", [["--section", "99"], ["R3720-1-01"], ["--level", "MIGHT"]])
def test_tsih_clauses_refuses_what_is_not_there(book, capsys, arguments):
    assert clauses_cli.main(["--catalogue", str(book), *arguments, "--runs"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
