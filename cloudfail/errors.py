"""The errors that cloudfail raises.

Every error that reaches a person has three sentences: what happened, what is true now, what to do (with the command).
Whether a call may be tried again is decided by class, never by reading a message: each provider has one file that maps
its vendor's errors onto `Transient`, `Permanent`, `Conflict` and `OutcomeUnknown`, with a test for every row.
"""

from __future__ import annotations


class CloudfailError(Exception):
    """Base class. `happened`, `true_now` and `to_do` are a sentence each; the latter two may be empty inside a call."""

    def __init__(self, happened: str, true_now: str = "", to_do: str = "") -> None:
        super().__init__(happened)
        self.happened = happened
        self.true_now = true_now
        self.to_do = to_do

    def __str__(self) -> str:
        return " ".join(part for part in (self.happened, self.true_now, self.to_do) if part)


class Transient(CloudfailError):
    """The call did not take effect and may be tried again. `retry_after_seconds` is the provider's own hint, if any."""

    def __init__(self, happened: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(happened)
        self.retry_after_seconds = retry_after_seconds


class Permanent(CloudfailError):
    """The call did not take effect, and the same call never will: a person must change something."""


class Conflict(CloudfailError):
    """The call did not take effect because the world is not as it was seen (`expect` did not match): look again."""


class OutcomeUnknown(CloudfailError):
    """The call may or may not have taken effect (a timeout, a lost reply): look before anything else."""


class LeaseLost(CloudfailError):
    """This worker no longer holds the application's lease; it must not start another call."""


class LogMoved(LeaseLost):
    """A named person moved the log to another store: this one takes no more entries, from anybody."""


class Halted(CloudfailError):
    """A person's command (pause, abort) was seen before the call; the call was not made."""


class Refused(CloudfailError):
    """cloudfail declines to do what was asked, because doing it would break a rule that it keeps."""


class StoreUnavailable(CloudfailError):
    """The state store did not answer. Without it nothing may be changed."""


class ConfigError(CloudfailError):
    """One or more mistakes in the files that a person wrote. `mistakes` holds them all."""

    def __init__(self, mistakes: tuple[object, ...]) -> None:
        count = len(mistakes)
        super().__init__(
            "\n".join(str(mistake) for mistake in mistakes),
            f"{count} mistake{'s' if count != 1 else ''}; nothing was changed.",
        )
        self.mistakes = mistakes

    def __str__(self) -> str:
        return f"{self.happened}\n{self.true_now}"
