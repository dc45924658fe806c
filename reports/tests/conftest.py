import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from sample_catalogue import BOOK, clause_text  # noqa: E402


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
