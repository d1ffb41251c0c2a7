"""What the kinds of this port call, as IAM words it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from cloudfail.ports import Grant
from cloudfail_aws.iam import Names, Told, by_member, none_taken, partition

RUN = ("run",)


def _ssm_command(names: Names, region: str, member: Any) -> Told:
    yield False, none_taken(region, "ssm:ListCommands", "ssm:ListCommandInvocations")
    for one, changes in ((member["observe"], False), (member, True)):
        if one is not None:
            for grant in _sends(names, region, one["document"], member, RUN if changes else ()):
                yield changes, grant


def _sends(names: Names, region: str, document: str, member: Any, verbs: tuple[str, ...]) -> Iterator[Grant]:
    """SendCommand is held against the document and against each instance (Service Authorization Reference)."""
    whose = "" if document.startswith(("AWS-", "AWSEC2-")) else names.account(region)
    named = f"arn:{partition(region)}:ssm:{region}:{whose}:document/{document}"
    nodes = tuple(
        names.arn("ssm", region, f"managed-instance/{node}")
        if node.startswith("mi-")
        else names.arn("ec2", region, f"instance/{node}")
        for node in member["instances"]
    )
    yield Grant(region, ("ssm:SendCommand",), (named, *nodes), verbs)
    if member["tags"]:
        yield Grant(
            region,
            ("ssm:SendCommand",),
            (names.arn("ec2", region, "instance/*"),),
            verbs,
            {"StringEquals": {f"ssm:resourceTag/{key}": value for key, value in member["tags"].items()}},
            why="The instances are those that have these tags when it is sent; the condition names the tags.",
        )


def _function(names: Names, region: str, member: Any) -> Told:
    looks = member["observe"] or member
    yield False, Grant(region, ("lambda:InvokeFunction",), (_arn(names, region, looks),))
    yield True, Grant(region, ("lambda:InvokeFunction",), (_arn(names, region, member),), RUN)


def _arn(names: Names, region: str, one: Any) -> str:
    qualified = f":{one['qualifier']}" if one["qualifier"] else ""
    return names.arn("lambda", region, f"function:{one['function']}{qualified}")


ssm_command = partial(by_member, _ssm_command)
function = partial(by_member, _function)
