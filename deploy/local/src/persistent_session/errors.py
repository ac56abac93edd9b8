"""What can go wrong for the person at the terminal: one sentence, one hint, one exit code.

Nothing here may hold a key, a phone number or a message.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    FAILED = 1
    """The answer is no: not connected in time, refused, something is missing."""
    USAGE = 2
    """The command or a setting is wrong."""
    NOT_RUNNING = 3
    """No system answers at the address."""
    DENIED = 4
    """The API key is wrong or absent."""
    BUSY = 5
    """Another program holds a port or the data folder."""
    INTERRUPTED = 130


class CliError(Exception):
    """A failure that the terminal shows in one line; `hint` says what to do about it."""

    def __init__(self, message: str, *, hint: str = "", code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
