"""The one error a user of the reports meets: a line that says what is wrong and the way out."""


class ReportError(Exception):
    """Input that cannot be reported on; its text is one line, the program exits with status 2."""
