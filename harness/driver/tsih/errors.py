"""What goes wrong outside the system under test: one line with the way out, never a traceback."""


class TsihError(Exception):
    """Something of ours or of the host failed. `str()` is one line; `hint` is the way out.

    `detail` may hold several lines (the tail of a guest's console).
    """

    def __init__(self, message: str, *, hint: str = "", detail: str = ""):
        super().__init__(message)
        self.hint = hint
        self.detail = detail

    def text(self) -> str:
        """The message, its detail indented, and the way out."""
        lines = [str(self)]
        if self.detail:
            lines += ["    " + line for line in self.detail.rstrip().splitlines()]
        if self.hint:
            lines.append(f"  -> {self.hint}")
        return "\n".join(lines)


class LabError(TsihError):
    """The lab refused or could not do what it was asked to."""


class CommandFailed(AssertionError):
    """A command in a guest ended otherwise than the scenario says: the scenario fails."""


class NotInTime(AssertionError):
    """A condition did not come true below its ceiling: the scenario fails."""
