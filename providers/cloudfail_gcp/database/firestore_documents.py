"""The documents that cloudfail writes into an application's Firestore database, and from where.

They stand beside the application's collections, in one of cloudfail's own: text fields, under a name that is made from
a word. A document is written by `documents.commit`, whole, and read by `documents.get`, which is strongly consistent
where no time and no transaction is named (Firestore, "Understand reads and writes at scale").

A canary's commit has the precondition that it is not there (`currentDocument.exists`): the second one, and one that
lands late, have no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from cloudfail.errors import Permanent
from cloudfail.ports import Call
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.errors import Answered

API = "firestore"
_SEPARATORS = str.maketrans({"#": "~", "/": "~"})
"""A document's name takes no slash, and no name of a region, run or step has a tilde."""


class Documents:
    """Of one database. asking: region -> how it is asked from there. Raises Transient, Permanent, Conflict,
    OutcomeUnknown, each of which says nothing of the world."""

    def __init__(self, asking: Mapping[str, Asking], path: str, collection: str, *, seconds: float) -> None:
        self._asking = asking
        self._documents = f"{path}/documents"
        self._collection = collection
        self._seconds = seconds

    def get(self, region: str, word: str, within: float | None = None) -> dict[str, str] | None:
        """What that document says, as it is got from that region; None where it is not there."""
        left = self._seconds if within is None else min(within, self._seconds)
        try:
            found = self._asking[region].read(API, region, f"v1/{quote(self._name(word))}", within=left)
        except Permanent as error:
            # Where the database itself is missing, the document is too; a commit then says which.
            if isinstance(error.__cause__, Answered) and error.__cause__.said.status == 404:
                return None
            raise
        return _said(word, found.get("fields"))

    def put_again(self, region: str, word: str, **values: str) -> None:
        """Write a document that may be written any number of times: a heartbeat. It is a probe's write, without a call
        of a run, and so made by the role that watches."""
        path, body = self._commit(word, values)
        self._asking[region].read(API, region, path, within=self._seconds, method="POST", body=body)

    def put(self, region: str, word: str, call: Call, **values: str) -> None:
        """Write a document for a run, if it is not there."""
        path, body = self._commit(word, values, exists=False)
        self._asking[region].change(API, region, "POST", path, call=call, body=body)

    def _commit(
        self, word: str, values: Mapping[str, str], *, exists: bool | None = None
    ) -> tuple[str, dict[str, Any]]:
        fields = {name: {"stringValue": value} for name, value in values.items()}
        write: dict[str, Any] = {"update": {"name": self._name(word), "fields": fields}}
        if exists is not None:
            write["currentDocument"] = {"exists": exists}
        return f"v1/{quote(self._documents)}:commit", {"writes": [write]}

    def _name(self, word: str) -> str:
        return f"{self._documents}/{self._collection}/{word.translate(_SEPARATORS)}"


def _said(word: str, fields: Any) -> dict[str, str]:
    """Raises Permanent for a document that cloudfail did not write: it must not be guessed at."""
    try:
        return {str(name): str(value["stringValue"]) for name, value in fields.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise Permanent(
            f"The document {word!r} is none that cloudfail wrote: {fields!r}.",
            "Nothing was changed.",
            "Find out who writes to cloudfail's collection in this database.",
        ) from error
