"""Roles of IAM, the policies that are written into them, and who took one on: IAM and STS as far as a fence needs them.

A change arrives late where it counts, as AWS says it does, where `late` is set: then with `arrive`. IAM itself shows it
at once. Everybody may do everything, but for what a policy here denies to its role.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

from tests.emulators.aws.asked import Asked
from tests.emulators.aws.standin import Refused


@dataclass
class Role:
    policies: dict[str, str] = field(default_factory=dict)
    in_force: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


class Identities:
    """The state machine of both services."""

    def __init__(self, *names: str) -> None:
        self.late = False
        # Roles that exist, and that nobody may take on.
        self.closed: set[str] = set()
        self.roles = {name: Role() for name in names}
        self._keys: dict[str, str] = {}

    def denied(self, key: str, action: str, resource: str) -> bool:
        """Whether who signed with this key may not, as the services see it now."""
        role = self.roles.get(self._keys.get(key, ""))
        return role is not None and any(
            fnmatchcase(action, pattern) and fnmatchcase(resource, statement["Resource"])
            for document in role.in_force.values()
            for statement in json.loads(document)["Statement"]
            if statement["Effect"] == "Deny"
            for pattern in statement["Action"]
        )

    # ---- STS

    def assume_role(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        name = given["RoleArn"].rpartition("/")[2]
        if name not in self.roles or name in self.closed:
            raise Refused("AccessDenied", f"Nobody may take on {name}.")
        key = f"ASIA{len(self._keys):016d}"
        self._keys[key] = name
        ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=given.get("DurationSeconds", 3600))
        return {
            "Credentials": {
                "AccessKeyId": key,
                "SecretAccessKey": "not-asked-for",
                "SessionToken": f"session-of-{name}",
                "Expiration": ends,
            }
        }

    # ---- IAM

    def list_role_policies(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        names = sorted(self._role(given["RoleName"]).policies)
        start, size = int(given.get("Marker", "0")), given.get("MaxItems", 100)
        more = start + size < len(names)
        return {
            "PolicyNames": names[start : start + size],
            "IsTruncated": more,
            **({"Marker": str(start + size)} if more else {}),
        }

    def get_role_policy(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        policies = self._role(given["RoleName"]).policies
        if given["PolicyName"] not in policies:
            raise Refused("NoSuchEntityException", f"There is no policy {given['PolicyName']}.")
        return {
            "RoleName": given["RoleName"],
            "PolicyName": given["PolicyName"],
            "PolicyDocument": quote(policies[given["PolicyName"]]),
        }

    def put_role_policy(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        role = self._role(given["RoleName"])
        role.policies[given["PolicyName"]] = given["PolicyDocument"]
        if not self.late:
            self.arrive()
        return {}

    def delete_role_policy(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        role = self._role(given["RoleName"])
        if given["PolicyName"] not in role.policies:
            raise Refused("NoSuchEntityException", f"There is no policy {given['PolicyName']}.")
        del role.policies[given["PolicyName"]]
        if not self.late:
            self.arrive()
        return {}

    def list_role_tags(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        tags = self._role(given["RoleName"]).tags
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()], "IsTruncated": False}

    def tag_role(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        self._role(given["RoleName"]).tags |= {one["Key"]: one["Value"] for one in given["Tags"]}
        return {}

    def _role(self, name: str) -> Role:
        if name not in self.roles:
            raise Refused("NoSuchEntityException", f"There is no role {name}.")
        return self.roles[name]

    def arrive(self) -> None:
        """What was changed so far holds everywhere."""
        for role in self.roles.values():
            role.in_force = dict(role.policies)
