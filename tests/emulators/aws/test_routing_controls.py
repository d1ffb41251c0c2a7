"""The stand-in for ARC's data plane: five endpoints, all or nothing, safety rules."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from tests.emulators.aws.standins.routing_controls import Cluster


def ask(cluster: Cluster, region: str, signed_for: str = "") -> Any:
    return botocore.session.Session().create_client(
        "route53-recovery-cluster",
        region_name=signed_for or region,
        endpoint_url=cluster.urls()[region],
        aws_access_key_id="AKID",
        aws_secret_access_key="secret",
        config=Config(read_timeout=5, retries={"total_max_attempts": 1}),
    )


def entries(**states: str) -> list[dict[str, str]]:
    return [{"RoutingControlArn": arn, "RoutingControlState": state} for arn, state in states.items()]


def test_a_change_at_one_endpoint_is_seen_at_all_and_is_whole(routing_controls: Cluster) -> None:
    panel = routing_controls.panel
    east, west = panel.control("east", "On"), panel.control("west")
    ask(routing_controls, "eu-west-1").update_routing_control_states(
        UpdateRoutingControlStateEntries=entries(**{east: "Off", west: "On"})
    )
    for region in routing_controls.endpoints:
        found = ask(routing_controls, region).get_routing_control_state(RoutingControlArn=west)
        assert (found["RoutingControlName"], found["RoutingControlState"]) == ("west", "On")
    unknown = f"{west[:-4]}ffff"
    asking = ask(routing_controls, "us-east-1")
    with pytest.raises(asking.exceptions.ResourceNotFoundException):
        asking.update_routing_control_states(UpdateRoutingControlStateEntries=entries(**{west: "Off", unknown: "Off"}))
    assert panel.states() == {"east": "Off", "west": "On"}
    assert panel.changes == [{east: "Off", west: "On"}]


def test_a_safety_rule_refuses_the_whole_call_unless_it_is_named(routing_controls: Cluster) -> None:
    panel = routing_controls.panel
    east, west, switch = panel.control("east", "On"), panel.control("west"), panel.control("switch")
    at_least_one = panel.assertion(east, west)
    gate = panel.gate((switch,), (west,))
    asking = ask(routing_controls, "us-west-2")
    with pytest.raises(asking.exceptions.ConflictException) as refused:
        asking.update_routing_control_state(RoutingControlArn=east, RoutingControlState="Off")
    assert refused.value.response["resourceId"] == at_least_one
    with pytest.raises(asking.exceptions.ConflictException) as refused:
        asking.update_routing_control_state(RoutingControlArn=west, RoutingControlState="On")
    assert refused.value.response["resourceId"] == gate
    assert panel.states() == {"east": "On", "west": "Off", "switch": "Off"}
    asking.update_routing_control_state(
        RoutingControlArn=east, RoutingControlState="Off", SafetyRulesToOverride=[at_least_one]
    )
    asking.update_routing_control_state(
        RoutingControlArn=switch, RoutingControlState="On", SafetyRulesToOverride=[at_least_one]
    )
    asking.update_routing_control_state(RoutingControlArn=west, RoutingControlState="On")
    assert panel.states() == {"east": "Off", "west": "On", "switch": "On"}


def test_endpoints_fail_each_in_their_own_way_and_come_back(routing_controls: Cluster) -> None:
    arn = routing_controls.panel.control("east", "On")
    dead, silent, deaf, away = (routing_controls.endpoints[one] for one in list(routing_controls.endpoints)[:4])
    dead.kill()
    silent.silence()
    deaf.lose_answers()
    away.be_unavailable()

    def turn(region: str, state: str) -> None:
        ask(routing_controls, region).update_routing_control_state(RoutingControlArn=arn, RoutingControlState=state)

    with pytest.raises(EndpointConnectionError):
        turn(dead.region, "Off")
    with pytest.raises(ReadTimeoutError):
        turn(silent.region, "Off")
    with pytest.raises(ClientError) as refused:
        turn(away.region, "Off")
    assert refused.value.response["Error"]["Code"] == "EndpointTemporarilyUnavailableException"
    assert routing_controls.panel.changes == []
    with pytest.raises(ReadTimeoutError):
        turn(deaf.region, "Off")
    assert routing_controls.panel.states() == {"east": "Off"}
    for number, one in enumerate((dead, silent, deaf, away)):
        one.restore()
        turn(one.region, "On" if number % 2 else "Off")
    assert routing_controls.panel.states() == {"east": "On"}


def test_an_endpoint_takes_no_signature_of_another_region_and_a_call_at_most_ten(routing_controls: Cluster) -> None:
    arns = [routing_controls.panel.control(f"c{number}") for number in range(11)]
    with pytest.raises(ClientError) as refused:
        ask(routing_controls, "eu-west-1", "eu-central-1").get_routing_control_state(RoutingControlArn=arns[0])
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    asking = ask(routing_controls, "eu-west-1")
    with pytest.raises(asking.exceptions.ServiceLimitExceededException):
        asking.update_routing_control_states(UpdateRoutingControlStateEntries=entries(**dict.fromkeys(arns, "On")))
    pages = asking.get_paginator("list_routing_controls").paginate(PaginationConfig={"PageSize": 4})
    assert [len(page["RoutingControls"]) for page in pages] == [4, 4, 3]
