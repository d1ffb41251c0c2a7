"""What a front was asked: the log that all three clouds' emulators keep."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Generic, Protocol, TypeVar

SEEN_MAX = 200_000


class Seen(Protocol):
    """One request. A cloud's own has more. met: who served it, "fault" or "nowhere"."""

    @property
    def service(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def operation(self) -> str: ...

    @property
    def mutating(self) -> bool: ...

    @property
    def met(self) -> str: ...


S = TypeVar("S", bound=Seen)


class Watched(Generic[S]):
    """At most the last 200,000 requests."""

    def __init__(self) -> None:
        self._seen: deque[S] = deque(maxlen=SEEN_MAX)
        self._watching = threading.Lock()

    def remember(self, one: S) -> None:
        with self._watching:
            self._seen.append(one)

    def seen(
        self,
        *,
        service: str | None = None,
        region: str | None = None,
        operation: str | None = None,
        mutating: bool | None = None,
        met: str | None = None,
    ) -> list[S]:
        """What was asked since `forget`, as narrowed down."""
        with self._watching:
            every = list(self._seen)
        return [
            one
            for one in every
            if service in (None, one.service)
            and region in (None, one.region)
            and (operation is None or self.named(operation) == self.named(one.operation))
            and mutating in (None, one.mutating)
            and met in (None, one.met)
        ]

    def count(self, **where: Any) -> int:
        return len(self.seen(**where))

    def forget(self) -> None:
        """The log begins anew. Faults stay."""
        with self._watching:
            self._seen.clear()

    @staticmethod
    def named(operation: str) -> str:
        """Of names that are one operation's, one."""
        return operation
