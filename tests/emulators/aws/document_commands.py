"""The commands of a DocumentDB cluster of `documents`, for one connection."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bson.timestamp import Timestamp

from tests.emulators.aws.document_wire import Asked, Login

if TYPE_CHECKING:
    from tests.emulators.aws.documents import Node

Roles = list[dict[str, str]]
Document = dict[str, Any]


class Failure(Exception):
    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(message)
        self.code, self.name = code, name


@dataclass
class User:
    password: str
    roles: Roles


@dataclass
class Transaction:
    """Open: what it would write. It belongs to the user that began it."""

    user: str
    writes: list[tuple[str, Any, Document]] = field(default_factory=list)
    ended: bool = False


class Client:
    """One connection, and what is answered to it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._user = ""
        self._rights: Roles = []
        self._login: Login | None = None
        self._who = ""

    def answer(self, asked: Asked) -> Document:
        given, name = asked.document, asked.command
        command = getattr(self, f"_{name.lower()}", None)
        try:
            if name in ("endSessions", "refreshSessions"):
                raise Failure(303, "FeatureNotSupported", f"Feature not supported: {name}")
            if command is None:
                raise Failure(59, "CommandNotFound", f"no such command: '{name}'")
            if not self._user and name not in ("hello", "ismaster", "isMaster", "saslStart", "saslContinue"):
                raise Failure(13, "Unauthorized", "Authorization failure")
            with self._node.lock:
                self._node.seen.append(f"{self._user}:{name}")
                found: Document = command(given)
            return {"ok": 1.0, **found}
        except Failure as error:
            return {"ok": 0.0, "code": error.code, "codeName": error.name, "errmsg": str(error)}

    # ---- greeting and login

    def _hello(self, given: Document) -> Document:
        node = self._node
        found: Document = {
            "ismaster": node.primary,
            "isWritablePrimary": node.primary,
            "secondary": not node.primary,
            "helloOk": True,
            "setName": "rs0",
            "hosts": [f"127.0.0.1:{node.port}"],
            "me": f"127.0.0.1:{node.port}",
            "maxBsonObjectSize": 16777216,
            "maxMessageSizeBytes": 48000000,
            "maxWriteBatchSize": 100000,
            "localTime": datetime.datetime.now(datetime.UTC),
            "logicalSessionTimeoutMinutes": 30,
            "minWireVersion": 0,
            "maxWireVersion": node.wire,
            "lastWrite": {"opTime": {"ts": Timestamp(1, node.applied + len(node.log)), "t": 1}},
        }
        if "saslSupportedMechs" in given:
            found["saslSupportedMechs"] = ["SCRAM-SHA-256"]
        return found

    _ismaster = _hello

    def _saslstart(self, given: Document) -> Document:
        if given["mechanism"] != "SCRAM-SHA-256":
            raise Failure(18, "AuthenticationFailed", "Authentication failed.")
        self._login = Login(bytes(given["payload"]))
        return {"conversationId": 1, "done": False, "payload": self._login.challenge.encode()}

    def _saslcontinue(self, given: Document) -> Document:
        login = self._login
        if login is None:
            return {"conversationId": 1, "done": True, "payload": b""}
        known = self._node.users.get(login.user)
        proof = login.finish(bytes(given["payload"]), known.password) if known is not None else None
        if known is None or proof is None:
            raise Failure(18, "AuthenticationFailed", "Authentication failed.")
        self._user, self._login = login.user, None
        self._rights = copy.deepcopy(known.roles)
        return {"conversationId": 1, "done": True, "payload": proof}

    def _ping(self, given: Document) -> Document:
        return {}

    # ---- documents

    def _find(self, given: Document) -> Document:
        self._may("read", given["$db"])
        where = f"{given['$db']}.{given['find']}"
        found = [one for one in self._node.data.get(where, {}).values() if _matches(one, given.get("filter", {}))]
        limit = int(given.get("limit", 0))
        return {"cursor": {"id": 0, "ns": where, "firstBatch": found[:limit] if limit else found}}

    def _update(self, given: Document) -> Document:
        self._may("write", given["$db"])
        self._must_be_primary()
        where = f"{given['$db']}.{given['update']}"
        matched, upserted, errors = 0, [], []
        for index, one in enumerate(given["updates"]):
            try:
                done = self._updated(where, one, given)
            except Failure as error:
                errors.append({"index": index, "code": error.code, "errmsg": str(error)})
                continue
            matched += 1
            if done is not None:
                upserted.append({"index": index, "_id": done})
        found: Document = {"n": matched, "nModified": matched - len(upserted)}
        return found | ({"upserted": upserted} if upserted else {}) | ({"writeErrors": errors} if errors else {})

    def _updated(self, where: str, one: Document, given: Document) -> Any:
        """The id of what was inserted; None where something was updated."""
        there = self._node.data.get(where, {})
        old = next((document for document in there.values() if _matches(document, one["q"])), None)
        name = one["q"]["_id"]
        if old is None and name in there:
            raise Failure(11000, "DuplicateKey", f"E11000 duplicate key error collection: {where}")
        if old is None and not one.get("upsert"):
            return None
        new = {**(old or {"_id": name, **one["u"].get("$setOnInsert", {})}), **one["u"].get("$set", {})}
        self._write(where, name, new, given)
        return name if old is None else None

    def _write(self, where: str, name: Any, new: Document, given: Document) -> None:
        if given.get("autocommit") is False:
            self._transaction(given, begins=bool(given.get("startTransaction"))).writes.append((where, name, new))
            return
        self._node.happen(_put(where, name, new))

    def _transaction(self, given: Document, *, begins: bool = False) -> Transaction:
        open_ = TRANSACTIONS.setdefault(id(self._node), {})
        key = bytes(given["lsid"]["id"])
        if begins:
            open_[key] = Transaction(self._user)
        found = open_.get(key)
        if found is None or found.ended:
            raise Failure(251, "NoSuchTransaction", "The transaction was ended.")
        return found

    def _committransaction(self, given: Document) -> Document:
        """It needs no right of its own: those of its writes were asked for when they were made."""
        found = self._transaction(given)
        self._must_be_primary()
        for where, name, new in found.writes:
            self._node.happen(_put(where, name, new))
        found.ended = True
        return {}

    def _aborttransaction(self, given: Document) -> Document:
        self._transaction(given).ended = True
        return {}

    # ---- users

    def _usersinfo(self, given: Document) -> Document:
        self._may("admin", "admin")
        return {
            "users": [
                {"_id": name, "user": name, "db": "admin", "roles": copy.deepcopy(one.roles)}
                for name, one in self._node.users.items()
            ]
        }

    def _revokerolesfromuser(self, given: Document) -> Document:
        if given["revokeRolesFromUser"] in ("serviceadmin", "owner"):
            raise Failure(18, "AuthorizationFailure", "The roles of this user cannot be changed.")
        return self._roles(given["revokeRolesFromUser"], lambda now: [one for one in now if one not in given["roles"]])

    def _grantrolestouser(self, given: Document) -> Document:
        new: Roles = given["roles"]
        return self._roles(given["grantRolesToUser"], lambda now: [*now, *(one for one in new if one not in now)])

    def _roles(self, user: str, change: Callable[[Roles], Roles]) -> Document:
        self._may("admin", "admin")
        self._must_be_primary()
        if user not in self._node.users:
            raise Failure(11, "UserNotFound", f"Could not find user {user}")
        roles = change(self._node.users[user].roles)

        def put(node: Node) -> None:
            node.users[user].roles = copy.deepcopy(roles)

        self._node.happen(put)
        return {}

    def _killallsessions(self, given: Document) -> Document:
        self._may("admin", "admin")
        if not self._node.sessions:
            raise Failure(303, "FeatureNotSupported", "Feature not supported: killAllSessions")
        named = {one["user"] for one in given["killAllSessions"]}
        for one in TRANSACTIONS.get(id(self._node), {}).values():
            one.ended = one.ended or not named or one.user in named
        return {}

    # ---- what is asked first

    def _may(self, what: str, where: str) -> None:
        roles = self._rights if self._node.sticky else self._node.users[self._user].roles
        for one in roles:
            role, database = one["role"], one["db"]
            if role == "root":
                return
            if role in ("readAnyDatabase", "readWriteAnyDatabase") and what == "read":
                return
            if role == "readWriteAnyDatabase" and what == "write":
                return
            if database == where and (role == "readWrite" or (role == "read" and what == "read")) and what != "admin":
                return
        raise Failure(13, "Unauthorized", "Authorization failure")

    def _must_be_primary(self) -> None:
        if not self._node.primary:
            raise Failure(10107, "NotWritablePrimary", "not primary")


# Open transactions, by node and session: they belong to the server, and to no connection.
TRANSACTIONS: dict[int, dict[bytes, Transaction]] = {}


def _put(where: str, name: Any, new: Document) -> Callable[[Node], None]:
    def put(node: Node) -> None:
        node.data.setdefault(where, {})[name] = copy.deepcopy(new)

    return put


def _matches(document: Document, query: Document) -> bool:
    for key, wanted in query.items():
        if isinstance(wanted, dict):
            assert set(wanted) == {"$lte"}, wanted
            if key not in document or not document[key] <= wanted["$lte"]:
                return False
        elif document.get(key) != wanted:
            return False
    return True
