"""The policies that are printed for custom actions: enough for all that the ports ask, and nothing beyond. The role
that only watches may send what looks, and nothing that acts."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudfail.errors import Permanent
from cloudfail.model.states import CustomWord
from cloudfail.model.topology import PortName
from cloudfail.testing.conformance import Calls, known
from cloudfail.testing.custom_suite import RUN
from cloudfail_aws.custom.function import LambdaCustom
from cloudfail_aws.custom.ssm_command import SsmCommand
from tests.emulators.aws import test_custom_lambda, test_ssm_command
from tests.emulators.aws.front import Front
from tests.emulators.aws.gate import EXECUTE, WATCH, allows
from tests.emulators.aws.members import TARGET, resource
from tests.emulators.aws.standins.run_command import RunCommand
from tests.emulators.aws.test_iam_workers import gated
from tests.emulators.aws.test_ssm_command import NODES, machine

__all__ = ["machine"]


def until_done(port: Any) -> None:
    for _ in range(60):
        if known(port.read(TARGET, RUN)).word is CustomWord.DONE:
            return
        time.sleep(0.2)
    raise AssertionError("it was never done")


@pytest.mark.parametrize(
    "where",
    [{"instances": list(NODES)}, {"instances": [], "tags": {"Role": "cdn"}}],
    ids=["instances", "tags"],
)
def test_a_command_is_sent_and_observed_under_what_is_printed_and_under_no_less(
    cloud: Front, machine: RunCommand, tmp_path: Path, where: dict[str, Any]
) -> None:
    site = test_ssm_command.Site(cloud, machine, tmp_path, {**test_ssm_command.MEMBER, **where})
    of = resource(PortName.CUSTOM, "ssm-command", {TARGET: site.member}, "drain")
    port, gate = gated(of, SsmCommand)
    port.invoke(TARGET, expect=known(port.read(TARGET, RUN)), call=Calls().make())
    until_done(port)
    gate.judge()


def test_a_document_of_awss_own_is_named_without_an_account(cloud: Front, machine: RunCommand, tmp_path: Path) -> None:
    member = {"document": "AWS-RunShellScript", "instances": [NODES[0]]}
    test_ssm_command.Site(cloud, machine, tmp_path)
    machine.documents["AWS-RunShellScript"] = "true"
    port, gate = gated(resource(PortName.CUSTOM, "ssm-command", {TARGET: member}, "drain"), SsmCommand)
    port.invoke(TARGET, expect=known(port.read(TARGET, RUN)), call=Calls().make())
    for _ in range(60):
        if known(port.read(TARGET, RUN)).ended:
            break
        time.sleep(0.2)
    gate.judge()


def test_who_only_watches_may_not_send_what_acts(cloud: Front, machine: RunCommand, tmp_path: Path) -> None:
    site = test_ssm_command.Site(cloud, machine, tmp_path)
    _, gate = gated(resource(PortName.CUSTOM, "ssm-command", {TARGET: site.member}, "drain"), SsmCommand)
    acts = f"arn:aws:ssm:{TARGET}:123456789012:document/shop-drain"
    assert not allows(gate.policies[WATCH], "ssm:SendCommand", acts, {})
    assert allows(gate.policies[EXECUTE], "ssm:SendCommand", acts, {})


@pytest.mark.parametrize("observe", [None, "its own"])
def test_a_function_is_asked_under_what_is_printed_and_under_no_less(
    cloud: Front, tmp_path: Path, observe: str | None
) -> None:
    site = test_custom_lambda.Site(cloud, tmp_path)
    name = test_custom_lambda.a_function(cloud)
    member = {**site.member, **({"observe": name} if observe else {})}
    port, gate = gated(resource(PortName.CUSTOM, "lambda", {TARGET: member}, "purge"), LambdaCustom)
    port.invoke(TARGET, expect=known(port.read(TARGET, RUN)), call=Calls().make())
    until_done(port)
    gate.judge()
    gate.policies = {WATCH: gate.policies[WATCH], EXECUTE: gate.policies[WATCH]}
    if observe:
        undone: Callable[[], None] = lambda: port.order(TARGET, Calls().make())  # noqa: E731
        with pytest.raises(Permanent, match="may not lambda:InvokeFunction"):
            undone()
