"""Custom actions in AWS: a document of Systems Manager that runs on instances, and a Lambda function.

What they do to the application, cloudfail.yaml says (cloudfail/config/custom.py), and the worse is taken where it does
not. Importing this package imports no vendor library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudfail.config.custom import CustomShape, facts
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_aws.custom import permissions
from cloudfail_aws.custom.options import CommandMember, FunctionMember


def _ssm_command(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.custom import ssm_command

    return ssm_command.build(resource, topology)


def _function(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.custom import function

    return function.build(resource, topology)


def _stated(resource: Resource, **more: Any) -> Mapping[str, VerbFacts]:
    """What the file says. Whatever the action needs, it is asked of its member's region, which is no "none"."""
    said = facts(resource.options, **more)
    return {"run": replace(said, home=said.home or "member")}


def _command_verbs(resource: Resource) -> Mapping[str, VerbFacts]:
    observed = all(member["observe"] is not None for member in resource.members.values())
    return _stated(resource, fencing="mark", observed=observed)


def _function_verbs(resource: Resource) -> Mapping[str, VerbFacts]:
    return _stated(resource, fencing="watching")


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.CUSTOM,
        name="ssm-command",
        build=_ssm_command,
        permissions=permissions.ssm_command,
        options=CustomShape,
        member=CommandMember,
        # How soon ListCommands lists what SendCommand answered to is written nowhere.
        settle_seconds=5.0,
        verbs={"run": facts({}, fencing="mark")},
        verbs_of=_command_verbs,
    ),
    Kind(
        port=PortName.CUSTOM,
        name="lambda",
        build=_function,
        permissions=permissions.function,
        options=CustomShape,
        member=FunctionMember,
        # An invocation whose answer was not heard runs on: it has that long to be seen by its own `observe`.
        settle_seconds=3.0,
        verbs={"run": facts({}, fencing="watching")},
        verbs_of=_function_verbs,
    ),
)
