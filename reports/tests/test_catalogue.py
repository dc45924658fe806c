"""The catalogue's loader: what it accepts, and the one line that it stops with otherwise."""

import re
from collections import defaultdict

import pytest
from sample_catalogue import BOOK, clause_text

from tsih_report import catalogue
from tsih_report.errors import ReportError


def load(folder, text, name="section-10.13-x.toml"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return catalogue.load(folder)


def test_the_checkouts_catalogue_is_valid_and_has_login_and_negotiation_whole():
    book = catalogue.load(catalogue.default_folder())
    assert {"5.1", "5.2", "5.3", "5.4", "10.12", "10.13", "11", "12"} <= {s.number for s in book.sections}
    in_capitals = [c for c in book.clauses.values() if c.id.rsplit("-", 1)[1].isdigit()]
    counted = {n: sum(c.section == n or c.section.startswith(n + ".") for c in in_capitals)
               for n in ("5", "10.12", "10.13", "11", "12")}
    assert counted == {"5": 65, "10.12": 20, "10.13": 15, "11": 43, "12": 30}
    transitions = [c for c in book.clauses.values() if c.id.rsplit("-", 1)[1][0] in "TMN"]
    assert len(transitions) == 50  # the cells of the tables of section 7
    # Every row of the RFC but the definition of the keywords themselves.
    assert len(in_capitals) == 557
    assert book.clauses["R3720-10.13.5-05"].party == "both"


# Red when a sentence is lost, or is a clause and left out at once.
def test_sentences_in_lower_case_are_clauses_or_left_out_for_a_reason():
    book = catalogue.load(catalogue.default_folder())
    clauses = [c for c in book.clauses if re.search(r"-l\d\d$", c)]
    lines = (catalogue.default_folder() / "left-out.tsv").read_text().splitlines()
    left_out = dict(line.split("\t") for line in lines[1:])
    assert (len(clauses), len(left_out)) == (110, 36)
    assert all(reason.endswith(".") for reason in left_out.values())
    numbers = defaultdict(list)
    for name in clauses + list(left_out):
        section, number = name.rsplit("-l", 1)
        numbers[section].append(int(number))
    for section, found in numbers.items():
        assert sorted(found) == list(range(1, len(found) + 1)), section


# Red when a test of the suite has no clause with its subject, or a number is none of the suite's.
def test_every_unh_number_is_beside_a_clause():
    suite = (catalogue.default_folder().parent / "conformance" / "unh.cpp").read_text()
    numbers = set(re.findall(r'"FFP ([0-9.]+)"', suite))
    book = catalogue.load(catalogue.default_folder())
    assert {u for c in book.clauses.values() for u in c.unh} == numbers and len(numbers) == 82


def test_sections_stand_in_the_order_of_the_rfc(tmp_path):
    for number in ("10.2", "5.4", "10.12", "AppD"):
        text = BOOK.replace('"10.13"', f'"{number}"') + clause_text("01", id=f'"R3720-{number}-01"')
        book = load(tmp_path / "c", text, f"section-{number}-x.toml")
    assert [s.number for s in book.sections] == ["5.4", "10.2", "10.12", "AppD"]


@pytest.mark.parametrize("text, told", [
    (clause_text("01") + clause_text("01"), "R3720-10.13.5-01 is there twice"),
    (clause_text("01", summary='"  "'), "clause R3720-10.13.5-01: summary is empty"),
    (clause_text("01", level='"MIGHT"'), "level is 'MIGHT', expected one of MUST, MUST NOT"),
    (clause_text("01", party='"T"'), "party is 'T'"),
    (clause_text("01", check='"maybe"'), "check is 'maybe'"),
    (clause_text("01", check='"none"'), 'needs a reason exactly when check = "none"'),
    (clause_text("01", reason='"why"'), 'needs a reason exactly when check = "none"'),
    (clause_text("01", not_testable='{target = "why"}'), "of a clause that binds both"),
    (clause_text("01", party='"both"', not_testable='{target = "a", initiator = "b"}'), "needs one party"),
    (clause_text("01", party='"both"', not_testable='{}'), "needs one party"),
    (clause_text("01", party='"both"', not_testable='{both = "why"}'), "expected target or initiator"),
    (clause_text("01", party='"both"', not_testable='{target = " "}'), "not_testable is empty"),
    (clause_text("01", id='"R3720-10.12.5-01"'), "does not belong to section 10.13"),
    (clause_text("01", id='"R3720-10.130-01"'), "does not belong to section 10.13"),
    (clause_text("01", id='"10.13.5-01"'), "id is not of the form"),
    (clause_text("01", rfc7143='{fate = "lost"}'), "rfc7143 needs a fate"),
    (clause_text("01", rfc7143='{fate = "same"}'), "needs an id exactly when"),
    (clause_text("01", rfc7143='{fate = "same", id = "R7143-1-01", asks = "more"}'), "expected more or less"),
    (clause_text("01", rfc7143='{fate = "changed", id = "R7143-1-01", asks = "it"}'), "expected more or less"),
    (clause_text("01", rfc7143='{fate = "dropped", id = "R7143-1-01"}'), "needs an id exactly when"),
    (clause_text("01", unh="[17]"), "unh is not a list"),
    (clause_text("01", colour='"red"'), "unknown field colour"),
    (clause_text("01", party=None), "has no party"),
    ("[[clause]\n", "not TOML"),
    ("", "has no [[clause]]"),
])
def test_a_defect_stops_it_with_one_line_that_names_it(tmp_path, text, told):
    with pytest.raises(ReportError) as caught:
        load(tmp_path / "c", BOOK + text)
    assert told in str(caught.value) and "section-10.13-x.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_clause_in_two_files_is_found(tmp_path):
    load(tmp_path / "c", BOOK + clause_text("01"))
    with pytest.raises(ReportError, match="there twice, first in section-10.13-x.toml"):
        load(tmp_path / "c", BOOK + clause_text("01"), "section-10.13-y.toml")


def test_a_folder_without_clauses_is_refused(tmp_path):
    with pytest.raises(ReportError, match="no section-"):
        catalogue.load(tmp_path)
