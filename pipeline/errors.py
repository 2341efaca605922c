"""What a person is told when something cannot go on: one clear sentence and an exit code."""

ATTENTION = 1
WRONG_USE = 2
BAD_DATA = 3


class UnveilError(Exception):
    """Ends a command with its sentence on stderr and `exit_code`; never a traceback."""

    exit_code = ATTENTION


class Busy(UnveilError):
    """Another process is at the same work; it will be free again."""


class WrongUse(UnveilError):
    """The command was asked for something it cannot do: a missing file, an unknown source, a malformed card."""

    exit_code = WRONG_USE


class BadData(UnveilError):
    """What was given or stored does not fit: a foreign database, a damaged archive, an unreadable file."""

    exit_code = BAD_DATA
