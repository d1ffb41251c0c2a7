"""ElastiCache's users and tags, beside its global datastores.

As its documentation has it: ModifyUser is accepted at once, the user is `modifying` until its rules have reached the
caches, and takes no other change for so long. An access string says `on` or `off`, or means `off`. Tags hold letters,
digits, spaces and a few signs, 256 of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.emulators.aws.asked import Asked
from tests.emulators.aws.standin import Refused
from tests.emulators.aws.standins.global_datastores import GlobalDatastores

_VALUE = re.compile(r"[A-Za-z0-9 _.:/=+@-]{0,256}")


class Caches(GlobalDatastores):
    """`modify_seconds`: from a change of a user to its end; None: it never ends. `on_user` is called with region, name
    and access string when it has."""

    def __init__(self, *given: Any, on_user: Callable[[str, str, str], None] | None = None, **more: Any) -> None:
        super().__init__(*given, **more)
        self.modify_seconds: float | None = 0.0
        self.users: dict[tuple[str, str], dict[str, str]] = {}
        # Each change of a user that was accepted: (region, id, access string).
        self.modified: list[tuple[str, str, str]] = []
        self.tags: dict[str, dict[str, str]] = {}
        self.sharded = False
        self._on_user = on_user or (lambda region, name, access: None)

    def user(self, region: str, id: str, name: str, access: str) -> str:
        """Its ARN."""
        arn = f"arn:aws:elasticache:{region}:{self._account}:user:{id}"
        said = {"UserId": id, "UserName": name, "Status": "active", "AccessString": access, "ARN": arn}
        self.users[region, id] = {**said, "Engine": "redis"}
        self.tags[arn] = {}
        return arn

    def group_arn(self, region: str, group: str) -> str:
        return f"arn:aws:elasticache:{region}:{self._account}:replicationgroup:{group}"

    def describe_users(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        if "UserId" in given and (what.region, given["UserId"]) not in self.users:
            raise Refused("UserNotFoundFault", f"There is no user {given['UserId']} here.")
        here = [one for (region, _), one in self.users.items() if region == what.region]
        return {"Users": [dict(one) for one in here if given.get("UserId", one["UserId"]) == one["UserId"]]}

    def modify_user(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        user = self.users.get((what.region, given["UserId"]))
        if user is None:
            raise Refused("UserNotFoundFault", f"There is no user {given['UserId']} here.")
        if user["Status"] != "active":
            raise Refused("InvalidUserStateFault", f"{given['UserId']} is {user['Status']}.")
        access = given["AccessString"]
        self.modified.append((what.region, given["UserId"], access))
        user["AccessString"], user["Status"] = access, "modifying"

        def done() -> None:
            user["Status"] = "active"
            self._on_user(what.region, user["UserName"], access)

        if self.modify_seconds == 0:
            done()
        elif self.modify_seconds is not None:
            self.hours.at(self.modify_seconds, done)
        return dict(user)

    def add_tags_to_resource(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        held = self._tags_of(given["ResourceName"], what)
        for tag in given["Tags"]:
            if not _VALUE.fullmatch(tag.get("Value", "")):
                raise Refused("InvalidParameterValueException", f"{tag['Value']!r} is no value of a tag.")
            held[tag["Key"]] = tag.get("Value", "")
        if len(held) > 50:
            raise Refused("TagQuotaPerResourceExceeded", "More than 50 tags.")
        return {"TagList": [{"Key": key, "Value": value} for key, value in held.items()]}

    def list_tags_for_resource(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        held = self._tags_of(given["ResourceName"], what)
        return {"TagList": [{"Key": key, "Value": value} for key, value in held.items()]}

    def describe_replication_groups(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        said = super().describe_replication_groups(given, what)
        for one in said["ReplicationGroups"]:
            one["ARN"] = self.group_arn(what.region, one["ReplicationGroupId"])
        return said

    def _described(self, store: Any, with_members: bool) -> dict[str, Any]:
        return {**super()._described(store, with_members), "ClusterEnabled": self.sharded}

    def _tags_of(self, arn: str, what: Asked) -> dict[str, str]:
        region, sort, name = arn.split(":")[3], arn.split(":")[5], arn.split(":")[6]
        if region != what.region:
            raise Refused("InvalidARNFault", f"{arn} is of another region than {what.region}.")
        if sort == "user" and (region, name) not in self.users:
            raise Refused("UserNotFoundFault", f"There is no user {name} here.")
        return self.tags.setdefault(arn, {})
