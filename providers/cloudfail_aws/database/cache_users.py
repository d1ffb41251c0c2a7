"""A fence by users: what an application's users may do on the cache of one region is taken from them, and given back.

ElastiCache's servers take no ACL SETUSER, so it is its API that changes a user (RBAC), in the region that is fenced. A
user keeps its login and may run nothing: then a new connection is made, and refused its write with NOPERM, which no
wrong password could say. The engine looks up the rules with each command, and so connections that were made before are
refused too (Valkey, "ACL"). That the API shows the new rules is evidence, and no proof: writes are tried.

What the user was allowed is kept in tags beside the epoch, and put back from there. Users belong to a region: those of
the region that takes over are other users.

Sources: ElastiCache user guide, "Role-Based Access Control"; API reference, ModifyUser.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import CloudfailError, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.database.marks import epoch_in, mark, refuse_older

NAME = "users"
NOTHING = "on ~* -@all"
TAG = "cloudfail:access"
PIECE_CHARACTERS = 240
"""A tag's value holds 256, and no asterisk: so the rules are kept in base64, in as many tags as it takes."""
PIECES_MAX = 8


@dataclass(frozen=True)
class User:
    """One user, as DescribeUsers has it."""

    id: str
    name: str
    status: str
    access: str
    arn: str

    @property
    def is_shut(self) -> bool:
        return may_nothing(self.access)


def may_nothing(rules: str) -> bool:
    """Whether these rules of an access control list let their user run no command at all."""
    words = [word.lstrip("(") for word in rules.split()]  # a selector's rules stand in parentheses
    allows = [word for word in words if word.startswith("+") or word == "allcommands"]
    return not allows and ("-@all" in words or "nocommands" in words)


class UsersFence:
    """Of one datastore: region -> ids of the users of all its applications there."""

    name = NAME

    def __init__(self, asking: Asking, users: Mapping[str, tuple[str, ...]], *, seconds: float) -> None:
        self._asking = asking
        self._users = users
        self._seconds = seconds

    def has(self, region: str) -> bool:
        return bool(self._users.get(region))

    def prevents(self, region: str) -> bool:
        """Never by itself: the API's word is no proof of what a server does."""
        return False

    def standing(self, region: str) -> Known[bool] | Unknown:
        """Whether the API shows all of them without a right."""
        try:
            users = self._read(region)
        except CloudfailError as error:
            return Unknown(f"{NAME} in {region}: {error}", time.time())
        return Known(all(user.is_shut for user in users), time.time())

    def epoch(self, region: str) -> int | None:
        """The newest mark on them. Raises as a read."""
        found = [epoch_in(self._tags(region, user)) for user in self._read(region)]
        return max((one for one in found if one is not None), default=None)

    def apply(self, region: str, call: Call) -> None:
        """Note what each may, then take it."""
        timed = TimeLeft(call)
        for user in self._read(region):
            refuse_older(epoch_in(self._tags(region, user)), call, f"{user.id} in {region}")
            if user.is_shut:
                continue
            self._settled(user, region)
            self._tag(region, user, _kept(user), timed.rest())
            self._allow(region, user, NOTHING, timed.rest())
            call.log(f"{region}: {user.id} may run nothing; it was {user.access}")

    def lift(self, region: str, call: Call) -> None:
        """Give back what was noted. One that may run nothing and carries no note was not shut by us."""
        timed = TimeLeft(call)
        for user in self._read(region):
            tags = self._tags(region, user)
            refuse_older(epoch_in(tags), call, f"{user.id} in {region}")
            if not user.is_shut:
                continue
            self._settled(user, region)
            before = _noted(tags)
            if before is None:
                raise Permanent(
                    f"{user.id} in {region} may run nothing, and no tag {TAG} of it says what it might before.",
                    "Its access was left as it is.",
                    f"Give it back by hand: aws elasticache modify-user --user-id {user.id} --access-string RULES",
                )
            self._tag(region, user, [], timed.rest())
            self._allow(region, user, before, timed.rest())
            call.log(f"{region}: {user.id} may again {before}")

    @staticmethod
    def _settled(user: User, region: str) -> None:
        if user.status not in ("active", ""):
            raise Transient(f"{user.id} in {region} is {user.status}: AWS takes no other change of it before.")

    def _read(self, region: str) -> list[User]:
        return [self._user(region, name) for name in self._users.get(region, ())]

    def _user(self, region: str, name: str) -> User:
        reply = self._asking.read("elasticache", region, "describe_users", within=self._seconds, UserId=name)
        found = [one for one in reply.get("Users") or () if one.get("UserId") == name]
        if len(found) != 1:
            raise Transient(f"ElastiCache in {region} listed {len(found)} of {name}: that is no answer.")
        said = {key: str(found[0].get(key) or "") for key in ("UserName", "Status", "AccessString", "ARN")}
        return User(name, said["UserName"], said["Status"], said["AccessString"], said["ARN"])

    def _tags(self, region: str, user: User) -> list[Mapping[str, Any]]:
        reply = self._asking.read(
            "elasticache", region, "list_tags_for_resource", within=self._seconds, ResourceName=user.arn
        )
        return list(reply.get("TagList") or ())

    def _tag(self, region: str, user: User, more: list[dict[str, str]], call: Call) -> None:
        tags = [mark(call), *more]
        self._asking.change("elasticache", region, "add_tags_to_resource", call=call, ResourceName=user.arn, Tags=tags)

    def _allow(self, region: str, user: User, rules: str, call: Call) -> None:
        self._asking.change("elasticache", region, "modify_user", call=call, UserId=user.id, AccessString=rules)


def _kept(user: User) -> list[dict[str, str]]:
    """The tags that hold what a user might. An empty one ends them, so that a longer note of before adds nothing."""
    text = base64.b64encode(user.access.encode()).decode()
    pieces = [text[at : at + PIECE_CHARACTERS] for at in range(0, len(text), PIECE_CHARACTERS)]
    if len(pieces) > PIECES_MAX:
        raise Permanent(
            f"The access string of {user.id} has {len(user.access)} characters, and tags hold no more than "
            f"{PIECES_MAX * PIECE_CHARACTERS * 3 // 4}.",
            "Nothing of it was changed.",
            "Use categories (+@read) in the place of single commands.",
        )
    keys = [f"{TAG}:{number}" for number in range(len(pieces) + 1)]
    return [{"Key": key, "Value": value} for key, value in zip(keys, [*pieces, ""], strict=True)]


def _noted(tags: Iterable[Mapping[str, Any]]) -> str | None:
    held = {str(tag.get("Key")): str(tag.get("Value") or "") for tag in tags}
    text = ""
    for number in range(PIECES_MAX):
        piece = held.get(f"{TAG}:{number}", "")
        if not piece:
            break
        text += piece
    try:
        return base64.b64decode(text, validate=True).decode() or None
    except ValueError:
        return None
