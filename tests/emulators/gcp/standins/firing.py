"""Cloud Scheduler v1 and Cloud Tasks v2 as state machines that really fire: attempts and tasks go out over HTTP.

As their documentation has it: only an ENABLED job can be paused and only a PAUSED one resumed (else
FAILED_PRECONDITION); a queue can be paused and resumed in whichever state. A job tells when its last attempt began.
"""

from __future__ import annotations

import copy
import datetime
import functools
import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.emulators.gcp.front import Refused
from tests.emulators.gcp.standins.delivering import Delivering, comes


class Scheduler(Delivering):
    """`jobs`: by path, as the API tells them."""

    def __init__(self, **more: Any) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self._every: dict[str, float] = {}
        self._next: dict[str, float] = {}
        self._running: dict[str, bool] = {}
        super().__init__(**more)

    def job(self, path: str, url: str, *, every: float = 86_400.0, state: str = "ENABLED") -> None:
        """Made as its owner would; it fires each so many seconds."""
        with self.lock:
            self.jobs[path] = {
                "name": path,
                "description": "Closes the books.",
                "schedule": "* * * * *",
                "timeZone": "Etc/UTC",
                "state": state,
                "httpTarget": {"uri": url, "httpMethod": "POST"},
                "userUpdateTime": stamp(time.time()),
            }
            self._every[path], self._next[path] = every, time.monotonic() + every
            self._running[path] = state == "ENABLED"

    def fires(self, path: str, count: Callable[[], int]) -> bool:
        """Whether it fires, once it is due. If not, it is due no more."""
        with self.lock:
            before, self._next[path] = count(), 0.0
        came = comes(lambda: count() > before, expected=self._running[path])
        with self.lock:
            self._next[path] = time.monotonic() + self._every[path]
        return came

    def due(self) -> list[tuple[str, str, Callable[[], None]]]:
        now, found = time.monotonic(), list[tuple[str, str, Callable[[], None]]]()
        for path, job in self.jobs.items():
            if self._running[path] and now >= self._next[path]:
                self._next[path] = now + self._every[path]
                job["lastAttemptTime"] = stamp(time.time())
                found.append((job["httpTarget"]["uri"], "{}", lambda: None))
        return found

    # ---- the API

    def projects_locations_jobs_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        with self.lock:
            return copy.deepcopy(self._found(labels))

    def projects_locations_jobs_pause(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        return self._turned(labels, "ENABLED", "PAUSED")

    def projects_locations_jobs_resume(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        return self._turned(labels, "PAUSED", "ENABLED")

    def _turned(self, labels: Mapping[str, str], before: str, after: str) -> dict[str, Any]:
        with self.lock:
            job = self._found(labels)
            if job["state"] != before:
                raise Refused(400, "failedPrecondition", f"Job.state must be {before}.", "FAILED_PRECONDITION")
            job["state"], job["userUpdateTime"] = after, stamp(time.time())
            if self.obeying:
                self._running[job["name"]] = after == "ENABLED"
            return copy.deepcopy(job)

    def _found(self, labels: Mapping[str, str]) -> dict[str, Any]:
        path = f"projects/{labels['projectsId']}/locations/{labels['locationsId']}/jobs/{labels['jobsId']}"
        if path not in self.jobs:
            raise Refused(404, "notFound", "Job not found.", "NOT_FOUND")
        return self.jobs[path]


class Tasks(Delivering):
    """`queues`: by path, as the API tells them. `asleep`: so many requests are answered NOT_FOUND, as of a queue that
    was idle for long."""

    def __init__(self, **more: Any) -> None:
        self.queues: dict[str, dict[str, Any]] = {}
        self.asleep = 0
        self._tasks: dict[str, dict[str, str]] = {}
        self._running: dict[str, bool] = {}
        self._numbers = itertools.count(1)
        super().__init__(**more)

    def queue(self, path: str, state: str = "RUNNING") -> None:
        """Made as its owner would."""
        with self.lock:
            self.queues[path] = {"name": path, "state": state, "rateLimits": {"maxDispatchesPerSecond": 500.0}}
            self._tasks[path], self._running[path] = {}, state == "RUNNING"

    def add(self, path: str, url: str) -> str:
        """A task; a word of its body."""
        with self.lock:
            word = f"task-{next(self._numbers)}-"
            self._tasks[path][word] = url
            return word

    def waiting(self, path: str) -> int:
        with self.lock:
            return len(self._tasks[path])

    def dispatches(self, path: str, url: str, heard: Callable[[str], bool]) -> bool:
        """Whether a task that is added now comes where `heard` is. If not, it is taken back."""
        word = self.add(path, url)
        came = comes(lambda: heard(word), expected=self._running[path])
        with self.lock:
            self._tasks[path].pop(word, None)
        return came

    def due(self) -> list[tuple[str, str, Callable[[], None]]]:
        return [
            (url, f'{{"task": "{word}"}}', functools.partial(self._done, path, word))
            for path, tasks in self._tasks.items()
            if self._running[path]
            for word, url in list(tasks.items())
        ]

    def _done(self, path: str, word: str) -> None:
        self._tasks[path].pop(word, None)

    # ---- the API

    def projects_locations_queues_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        with self.lock:
            return copy.deepcopy(self._found(labels))

    def projects_locations_queues_pause(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        return self._turned(labels, "PAUSED")

    def projects_locations_queues_resume(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        return self._turned(labels, "RUNNING")

    def _turned(self, labels: Mapping[str, str], state: str) -> dict[str, Any]:
        with self.lock:
            queue = self._found(labels)
            queue["state"] = state
            if self.obeying:
                self._running[queue["name"]] = state == "RUNNING"
            return copy.deepcopy(queue)

    def _found(self, labels: Mapping[str, str]) -> dict[str, Any]:
        path = f"projects/{labels['projectsId']}/locations/{labels['locationsId']}/queues/{labels['queuesId']}"
        if self.asleep > 0 or path not in self.queues:
            self.asleep -= 1
            raise Refused(404, "notFound", "Requested entity was not found.", "NOT_FOUND")
        return self.queues[path]


def stamp(wall: float) -> str:
    """With nine digits, as Google may write it."""
    return datetime.datetime.fromtimestamp(wall, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
