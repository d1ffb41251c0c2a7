"""A fence by IAM: a policy on the roles of the applications that denies every change of one cluster's data.

Neptune has no users of its own and no switch that makes a writer read-only: whoever may write is IAM's to say, where
IAM authentication is on. A deny wins over every allow, and is held against each request that is signed, whatever
credentials it was signed with. It is one object for all regions, and commanded in the partition's first one
(us-east-1): it needs nothing of the old region unless that is the one. It takes seconds to arrive; that it stands is
evidence, and proves nothing by itself. Roles that are not named are not fenced.

The epoch is a tag of the role, one for each cluster: two databases may share a role. Sources: IAM user guide, "Policy
evaluation logic" and "Changes that I make are not always immediately visible"; Neptune user guide, "IAM actions for
data access".
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import CloudfailError, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.database import marks
from cloudfail_aws.roles import home

NAME = "iam"
DENIED = ("neptune-db:Write*", "neptune-db:Delete*", "neptune-db:StartLoaderJob", "neptune-db:ResetDatabase")
VERSION = "2012-10-17"


@dataclass(frozen=True)
class Guarded:
    """One cluster's data, and who may write it. data: its ARN as IAM knows it, less the last part."""

    data: str
    roles: tuple[str, ...]

    @property
    def resource(self) -> str:
        return self.data.rpartition(":")[2]

    @property
    def policy(self) -> str:
        return f"cloudfail-fence-{self.resource}"

    @property
    def tag(self) -> str:
        return f"{marks.TAG}:{self.resource}"

    @property
    def document(self) -> dict[str, Any]:
        deny = {"Sid": "cloudfail", "Effect": "Deny", "Action": list(DENIED), "Resource": f"{self.data}/*"}
        return {"Version": VERSION, "Statement": [deny]}


def role_name(arn: str) -> str:
    """What IAM's operations take: the last part, without the path."""
    return arn.rpartition("/")[2]


class RolePolicyFence:
    """fence.Network, of one database: region -> what is guarded there."""

    name = NAME
    cuts = False

    def __init__(self, asking: Asking, members: Mapping[str, Guarded], *, seconds: float) -> None:
        self._asking = asking
        self._members = members
        self._seconds = seconds

    def has(self, region: str) -> bool:
        """Whether it is said under which roles applications write."""
        return region in self._members

    def prevents(self, region: str) -> bool:
        """Never: who else may write is not known here."""
        return False

    def standing(self, region: str) -> Known[bool] | Unknown:
        """Whether every role carries the whole policy."""
        guarded = self._members[region]
        try:
            return Known(all(self._stands(region, guarded, role) for role in guarded.roles), time.time())
        except CloudfailError as error:
            return Unknown(f"{NAME} for {region}: {error}", time.time())

    def apply(self, region: str, call: Call) -> None:
        """Write what is missing, the mark first."""
        guarded, timed = self._members[region], TimeLeft(call)
        for role in guarded.roles:
            self._refuse_older(region, guarded, role, call)
            if self._stands(region, guarded, role):
                continue
            self._mark(region, guarded, role, timed.rest())
            self._asking.change(
                "iam", home(region), "put_role_policy", call=timed.rest(), RoleName=role_name(role),
                PolicyName=guarded.policy, PolicyDocument=json.dumps(guarded.document),
            )  # fmt: skip
        names = ", ".join(map(role_name, guarded.roles))
        call.log(f"{region}: IAM denies {names} every change of the data of {guarded.resource}")

    def lift(self, region: str, call: Call) -> None:
        """Take our policy away again, and no other."""
        guarded, timed = self._members[region], TimeLeft(call)
        for role in guarded.roles:
            self._refuse_older(region, guarded, role, call)
            if not self._named(region, guarded, role):
                continue
            self._mark(region, guarded, role, timed.rest())
            self._asking.change(
                "iam", home(region), "delete_role_policy", call=timed.rest(), RoleName=role_name(role),
                PolicyName=guarded.policy,
            )  # fmt: skip

    def _named(self, region: str, guarded: Guarded, role: str) -> bool:
        names = self._asking.pages(
            "iam", home(region), "list_role_policies", "PolicyNames", within=self._seconds, RoleName=role_name(role)
        )
        return guarded.policy in names

    def _stands(self, region: str, guarded: Guarded, role: str) -> bool:
        if not self._named(region, guarded, role):
            return False
        reply = self._asking.read(
            "iam", home(region), "get_role_policy", within=self._seconds, RoleName=role_name(role),
            PolicyName=guarded.policy,
        )  # fmt: skip
        # botocore decodes it; what somebody wrote over ours is none of ours.
        return bool(reply.get("PolicyDocument") == guarded.document)

    def _refuse_older(self, region: str, guarded: Guarded, role: str, call: Call) -> None:
        tags: Sequence[Mapping[str, Any]] = self._asking.pages(
            "iam", home(region), "list_role_tags", "Tags", within=self._seconds, RoleName=role_name(role)
        )
        ours = [{**tag, "Key": marks.TAG} for tag in tags if tag.get("Key") == guarded.tag]
        marks.refuse_older(marks.epoch_in(ours), call, f"the role {role_name(role)}")

    def _mark(self, region: str, guarded: Guarded, role: str, call: Call) -> None:
        tag = {**marks.mark(call), "Key": guarded.tag}
        self._asking.change("iam", home(region), "tag_role", call=call, RoleName=role_name(role), Tags=[tag])


def guarded(region: str, partition: str, account: str, resource: str, roles: Sequence[str]) -> Guarded:
    """Raises Permanent where the account is not known: its ARN holds it."""
    if not account:
        raise Permanent(
            f"The account of {region} is not written, and the ARN of {resource} holds it.",
            "Nothing was asked of IAM.",
            f'Write it: regions: {{{region}: {{provider: aws, account: "111111111111"}}}}',
        )
    return Guarded(f"arn:{partition}:neptune-db:{region}:{account}:{resource}", tuple(roles))
