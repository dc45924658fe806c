import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

BOOK = """[section]
rfc = 3720
number = "10.13"
title = "Login Response"
"""


def clause_text(number: str, **changes) -> str:
    """One [[clause]] as TOML; a value of None leaves the field out. TEST DATA in its words."""
    fields = {"id": f'"R3720-10.13.5-{number}"', "level": '"MUST"', "party": '"target"',
              "summary": '"test data"', "check": '"active"',
              "rfc7143": f'{{fate = "same", id = "R7143-11.13.5-{number}"}}', **changes}
    return "[[clause]]\n" + "".join(f"{k} = {v}\n" for k, v in fields.items() if v is not None) + "\n"


@pytest.fixture
def book(tmp_path):
    """A small catalogue: 01 for targets, 02 for initiators, 03 nobody can test, 05 for both, 06 for both."""
    folder = tmp_path / "catalogue"
    folder.mkdir()
    (folder / "section-10.13-login-response.toml").write_text(
        BOOK + clause_text("01") + clause_text("02", party='"initiator"')
        + clause_text("03", check='"none"', reason='"test data"')
        + clause_text("05", party='"both"') + clause_text("06", party='"both"', level='"SHOULD"'))
    return folder
