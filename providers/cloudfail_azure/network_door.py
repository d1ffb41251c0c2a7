"""Where azure-mgmt-network believes the network to be: its requests are handed to whoever sends them for us, and what
came back is handed to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from azure.core.pipeline.transport import HttpTransport
from azure.core.rest import HttpRequest, HttpResponse
from azure.core.utils import case_insensitive_dict

from cloudfail_azure.asking import Reply

Sent = Callable[[str, str, Any, Mapping[str, str]], Reply]
"""method, URL, body, headers -> what was answered."""


class Door(HttpTransport[HttpRequest, HttpResponse]):
    """For one request. reply: what it was answered with."""

    def __init__(self, sent: Sent) -> None:
        self._sent = sent
        self.reply: Reply | None = None

    def open(self) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *_: object) -> None: ...

    def send(self, request: HttpRequest, **_: Any) -> HttpResponse:
        """Raises what `sent` raises: the pipeline in front is empty, and holds none of it back."""
        content: Any = request.content
        body = json.loads(content) if content else None
        self.reply = self._sent(request.method, str(request.url), body, request.headers)
        return _Answer(request, self.reply)


class _Answer(HttpResponse):
    """A reply, as the package reads one."""

    def __init__(self, request: HttpRequest, reply: Reply) -> None:
        self._request, self._reply = request, reply

    @property
    def request(self) -> HttpRequest:
        return self._request

    @property
    def status_code(self) -> int:
        return self._reply.status

    @property
    def headers(self) -> MutableMapping[str, str]:
        return case_insensitive_dict(self._reply.headers)

    @property
    def reason(self) -> str:
        return ""

    @property
    def content_type(self) -> str:
        return "application/json"

    @property
    def is_closed(self) -> bool:
        return True

    @property
    def is_stream_consumed(self) -> bool:
        return True

    @property
    def encoding(self) -> str | None:
        return "utf-8"

    @encoding.setter
    def encoding(self, _value: str | None) -> None: ...

    @property
    def url(self) -> str:
        return str(self._request.url)

    @property
    def content(self) -> bytes:
        return json.dumps(self._reply.body).encode()

    def read(self) -> bytes:
        return self.content

    def text(self, encoding: str | None = None) -> str:
        return self.content.decode(encoding or "utf-8")

    def json(self) -> Any:
        return self._reply.body

    def raise_for_status(self) -> None: ...

    def iter_bytes(self, **_: Any) -> Iterator[bytes]:
        yield self.content

    def iter_raw(self, **_: Any) -> Iterator[bytes]:
        yield self.content

    def close(self) -> None: ...

    def __enter__(self) -> _Answer:
        return self

    def __exit__(self, *_: object) -> None: ...
