"""Firestore, as far as documents go that are committed whole and got by name.

As its documentation has it: a commit is held against the preconditions of its writes (`currentDocument.exists`), and a
get shows all that was committed before it.
"""

from __future__ import annotations

import copy
from typing import Any

from tests.emulators.gcp.front import Refused

PROJECT = "shop-prod"
DATABASE = f"projects/{PROJECT}/databases/(default)"
AT = "2026-11-30T03:00:00.000000Z"


class Firestore:
    """`keeping`: while it is not set, a commit is acknowledged and nothing is written. `documents`: name -> fields."""

    def __init__(self) -> None:
        self.location = "nam5"
        self.kind = "FIRESTORE_NATIVE"
        self.there = True
        self.keeping = True
        self.documents: dict[str, dict[str, Any]] = {}

    def projects_databases_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self._must_be(labels)
        return {"name": DATABASE, "locationId": self.location, "type": self.kind}

    def projects_databases_documents_get(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        self._must_be(labels)
        name = f"{DATABASE}/documents/{labels['documentsId']}/{labels['documentsId1']}"
        if name not in self.documents:
            raise Refused(404, "", f'Document "{name}" not found.', "NOT_FOUND")
        return {"name": name, "fields": copy.deepcopy(self.documents[name]), "createTime": AT, "updateTime": AT}

    def projects_databases_documents_commit(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        self._must_be(labels)
        if self.kind != "FIRESTORE_NATIVE":
            raise Refused(400, "", "The database is in Datastore mode.", "FAILED_PRECONDITION")
        for write in body["writes"]:
            name, exists = write["update"]["name"], write.get("currentDocument", {}).get("exists")
            if exists is False and name in self.documents:
                raise Refused(409, "", f"Document already exists: {name}", "ALREADY_EXISTS")
            if exists is True and name not in self.documents:
                raise Refused(404, "", f"No document to update: {name}", "NOT_FOUND")
        for write in body["writes"] if self.keeping else ():
            self.documents[write["update"]["name"]] = copy.deepcopy(write["update"]["fields"])
        return {"commitTime": AT, "writeResults": [{"updateTime": AT} for _ in body["writes"]]}

    def _must_be(self, labels: dict[str, str]) -> None:
        name = f"projects/{labels['projectsId']}/databases/{labels['databasesId']}"
        if not self.there or name != DATABASE:
            raise Refused(404, "", f"The database {labels['databasesId']} does not exist.", "NOT_FOUND")
