"""The errors that a user can do something about, with the exit code of a command that meets one.

Every part of the platform may raise them; the command line prints them without a traceback. An error that only a
programmer can mend is no PlatformError. This module imports nothing, so that it costs nothing.
"""

FAILED = 1
"""Exit code: something failed or is broken."""

MISUSED = 2
"""Exit code: the call, a setting or a file that was given is wrong."""

ROWS_REFUSED = 3
"""Exit code: an import refused more rows than it may without a person's consent, or could not read some files."""


class PlatformError(Exception):
    """Something failed. The message says what, where and why; `remedy` says what to do where the message does not."""

    exit_code = FAILED

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(f"{message}\n{remedy}" if remedy else message)
        self.remedy = remedy


class MisuseError(PlatformError):
    """The call, a setting or a file that was given is wrong: the same call fails again."""

    exit_code = MISUSED
