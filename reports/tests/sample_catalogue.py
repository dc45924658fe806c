"""TEST DATA: a section head and clauses as TOML, for the units of the catalogue's loader."""

BOOK = """[section]
rfc = 3720
number = "10.13"
title = "Login Response"
"""


def clause_text(number: str, **changes) -> str:
    """One [[clause]] as TOML; a value of None leaves the field out."""
    fields = {"id": f'"R3720-10.13.5-{number}"', "level": '"MUST"', "party": '"target"',
              "summary": '"test data"', "check": '"active"',
              "rfc7143": f'{{fate = "same", id = "R7143-11.13.5-{number}"}}', **changes}
    return "[[clause]]\n" + "".join(f"{k} = {v}\n" for k, v in fields.items() if v is not None) + "\n"
