"""Importing a Region switch plan: every block has its place in the draft, and nothing is lost in silence."""

from __future__ import annotations

import copy
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cloudfail import config, importing
from cloudfail.actions.catalog import ACTIONS
from cloudfail.errors import CloudfailError, ConfigError, Refused
from cloudfail.importing.blocks import BLOCKS
from cloudfail.importing.draft import Draft
from cloudfail.importing.opinion import OnPaper
from cloudfail.importing.parts import ADDED, Step
from cloudfail.importing.plan import BLOCKS_MAX
from cloudfail.importing.saving import save
from cloudfail.lint import Severity, lint
from cloudfail.model.runbook import Mode
from cloudfail.testing.provider import FakeProvider
from tests.kit import ROOT, Stage

SAMPLES = ROOT / "tests/fixtures/region-switch"
ANY_DRAFT = ("shop.json", "every-block.json", "active-active.json", "shop.template.yaml")
BY_HAND = {"CustomActionLambda", "SSMSendCommand", "ARCRegionSwitchPlan", "AuroraProvisionedScaling"}


def model() -> dict[str, Any]:
    """The API's own description of itself, as the installed botocore has it."""
    (found,) = (Path(botocore.__file__).parent / "data/arc-region-switch").glob("*/service-2.json*")
    opened = gzip.open(found, "rt") if found.suffix == ".gz" else found.open()
    with opened as file:
        shapes: dict[str, Any] = json.load(file)["shapes"]
    return shapes


def sample(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((SAMPLES / name).read_text(encoding="utf-8"))
    plan: dict[str, Any] = read.get("plan", read)
    return plan


def drafted(tmp_path: Path, plan: Any, resource: str | None = None) -> Draft:
    file = tmp_path / "plan.json"
    file.write_text(plan if isinstance(plan, str) else json.dumps(plan), encoding="utf-8")
    return importing.region_switch(file, resource)


def loaded(draft: Draft, directory: Path, provider: Any = None) -> config.Loaded:
    save(draft.files(), directory)
    return config.load(
        directory / "cloudfail.yaml",
        sorted((directory / "runbooks").glob("*.yaml")),
        {"aws": provider or FakeProvider("aws", like=OnPaper("aws", draft))},
    )


def blocks(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for step in steps:
        yield step
        yield from blocks(step["executionBlockConfiguration"].get("parallelConfig", {}).get("steps", []))


def one_block(name: str) -> dict[str, Any]:
    """The sample of one type of block, alone in a plan."""
    plan = sample("every-block.json")
    for key in ("associatedAlarms", "triggers", "reportConfiguration", "serviceQuotaChecksEnabled"):
        del plan[key]
    for workflow in plan["workflows"]:
        for step in blocks(workflow["steps"]):
            if step["executionBlockType"] == name:
                return {**plan, "workflows": [{**workflow, "steps": [copy.deepcopy(step)]}]}
    raise AssertionError(f"no sample of {name}")


def steps_of(draft: Draft, mode: Mode) -> dict[str, Step]:
    return {step.name: step for runbook in draft.runbooks if runbook.mode is mode for step in runbook.steps}


def before(steps: dict[str, Step], name: str) -> set[str]:
    waiting, seen = list(steps[name].needs), set[str]()
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += steps[one].needs
    return seen


# ---- the API's own list


def test_every_type_of_block_that_the_api_lists_is_handled() -> None:
    assert set(model()["ExecutionBlockType"]["enum"]) == set(BLOCKS)


def test_every_member_of_the_apis_union_is_the_configuration_of_one_type() -> None:
    members = model()["ExecutionBlockConfiguration"]["members"]
    assert set(members) == {one.member for one in BLOCKS.values()}
    assert len(members) == len(BLOCKS)


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_every_key_of_a_blocks_configuration_is_known(name: str) -> None:
    shapes = model()
    shape = shapes["ExecutionBlockConfiguration"]["members"][BLOCKS[name].member]["shape"]
    keys = {key.lower() for key in shapes[shape]["members"]}
    assert keys - BLOCKS[name].keys <= {"timeoutminutes", "crossaccountrole", "externalid"}
    assert keys >= BLOCKS[name].keys


def test_every_key_of_a_plan_is_known(tmp_path: Path) -> None:
    plan = sample("shop.json")
    plan |= dict.fromkeys(set(model()["Plan"]["members"]) - set(plan), "") | {"tags": {}}
    assert not [one for one in drafted(tmp_path, plan).losses if "does not know" in one.why]


@pytest.mark.parametrize("file", ["shop.json", "every-block.json", "active-active.json"])
def test_the_samples_are_what_the_api_would_take(file: str) -> None:
    from botocore.model import ServiceModel
    from botocore.validate import ParamValidator

    plan = {key: value for key, value in sample(file).items() if key in model()["CreatePlanRequest"]["members"]}
    described = ServiceModel({"metadata": {}, "operations": {}, "shapes": model()})
    report = ParamValidator().validate(plan, described.shape_for("CreatePlanRequest"))
    assert not report.has_errors(), report.generate_report()


# ---- each block


def test_the_samples_hold_every_type_of_block() -> None:
    plan = sample("every-block.json")
    assert {step["executionBlockType"] for flow in plan["workflows"] for step in blocks(flow["steps"])} == set(BLOCKS)


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_a_block_becomes_its_action_or_a_gate_at_which_a_person_does_it(name: str, tmp_path: Path) -> None:
    draft = drafted(tmp_path, one_block(name))
    became = {one.type: one.became for one in draft.rows}[name]
    found = loaded(draft, tmp_path / "draft")
    assert [str(one) for one in lint(found, ACTIONS) if one.severity is Severity.ERROR] == []
    if name in BY_HAND:
        assert became == "a gate: by hand"
        assert [one for one in draft.losses if name in one.what]
    elif name == "Parallel":
        assert became == "side by side"
    elif name == "ManualApproval":
        assert became == "a gate"
    else:
        assert set(became.split(", ")) <= set(BLOCKS[name].action.split(", "))
        assert not [one for one in draft.losses if f"({name})" in one.what]


def test_a_block_that_nobody_knows_yet_is_kept_as_a_gate_and_told(tmp_path: Path) -> None:
    plan = sample("shop.json")
    plan["workflows"][0]["steps"][1]["executionBlockType"] = "QuantumLeap"
    draft = drafted(tmp_path, plan)
    (loss,) = draft.losses
    assert "QuantumLeap" in loss.what
    assert loss.place.line > 1 or loss.place.column > 1
    step = steps_of(draft, Mode.FAILOVER)["go-or-no-go"]
    assert step.is_gate
    assert step.by_hand


def test_a_key_that_nobody_knows_yet_is_told(tmp_path: Path) -> None:
    plan = one_block("AuroraGlobalDatabase")
    plan["workflows"][0]["steps"][0]["executionBlockConfiguration"]["globalAuroraConfig"]["dryRun"] = True
    assert [one for one in drafted(tmp_path, plan).losses if '"dryRun"' in one.what]


@pytest.mark.parametrize("key", ["executionBlockConfiguration", "executionBlockType"])
def test_a_block_without_its_type_or_configuration_is_done_by_hand(key: str, tmp_path: Path) -> None:
    plan = one_block("AuroraGlobalDatabase")
    del plan["workflows"][0]["steps"][0][key]
    draft = drafted(tmp_path, plan)
    assert draft.losses
    assert steps_of(draft, Mode.FAILOVER)["orders-database"].by_hand


def test_a_lambda_that_an_ungraceful_execution_skips_is_in_the_switchover_only(tmp_path: Path) -> None:
    draft = drafted(tmp_path, one_block("CustomActionLambda"))
    assert "put-up-the-sign" not in steps_of(draft, Mode.FAILOVER)
    assert steps_of(draft, Mode.SWITCHOVER)["put-up-the-sign"].by_hand
    assert "skips it when a region is lost" in draft.files()["runbooks/evacuate.yaml"]


def test_a_functions_payload_is_never_repeated(tmp_path: Path) -> None:
    plan = one_block("CustomActionLambda")
    settings_ = plan["workflows"][0]["steps"][0]["executionBlockConfiguration"]["customActionLambdaConfig"]
    settings_["lambdas"][0]["payload"] = '{"key": "hunter2"}'
    draft = drafted(tmp_path, plan)
    assert "hunter2" not in "".join(draft.files().values()) + repr(draft.losses)


def test_capacity_above_what_there_was_is_told_and_left_to_a_person(tmp_path: Path) -> None:
    draft = importing.region_switch(SAMPLES / "active-active.json")
    assert [one.what for one in draft.losses if "200 %" in one.what]
    assert "fill in: Region switch asks for 200 %" in draft.files()["runbooks/evacuate.yaml"]


def test_consumers_of_the_lost_region_are_owed_and_not_waited_for(tmp_path: Path) -> None:
    step = steps_of(importing.region_switch(SAMPLES / "every-block.json"), Mode.FAILOVER)["stop-consumers"]
    assert (step.action, step.arguments["where"], step.arguments["unreachable"]) == (
        "consumers.disable",
        "${from}",
        "owe",
    )


def test_routing_controls_are_members_of_the_region_that_they_are_turned_on_for(tmp_path: Path) -> None:
    plan = one_block("ARCRoutingControl")
    settings_ = plan["workflows"][0]["steps"][0]["executionBlockConfiguration"]["arcRoutingControlConfig"]
    del settings_["regionAndRoutingControls"]["us-east-1"]
    (resource,) = drafted(tmp_path, plan).resources
    assert {region: arn[-1] for region, arn in resource.members.items()} == {"us-east-1": "e", "us-west-2": "f"}


def test_a_database_that_only_switches_over_is_promoted_in_a_failover_and_that_is_said(tmp_path: Path) -> None:
    plan = sample("shop.json")
    del plan["workflows"][0]["steps"][2]["executionBlockConfiguration"]["globalAuroraConfig"]["ungraceful"]
    draft = drafted(tmp_path, plan)
    assert steps_of(draft, Mode.FAILOVER)["orders-database"].action == "database.failover"
    assert [one for one in draft.differences if "would only switch over" in one]


# ---- forms of one plan


@pytest.mark.parametrize("file", ["shop.template.json", "shop.template.yaml"])
def test_the_api_and_cloudformation_give_the_same_draft_for_the_same_plan(file: str) -> None:
    assert importing.region_switch(SAMPLES / file).files() == importing.region_switch(SAMPLES / "shop.json").files()


def test_short_and_long_forms_of_an_expression_are_one_variable(tmp_path: Path) -> None:
    template = {"Resources": {"P": {"Type": "AWS::ARCRegionSwitch::Plan", "Properties": sample("shop.json")}}}
    aurora = template["Resources"]["P"]["Properties"]["workflows"][0]["steps"][2]  # type: ignore[index]
    settings_ = aurora["executionBlockConfiguration"]["globalAuroraConfig"]
    settings_["globalClusterIdentifier"] = {"Ref": "Orders"}
    settings_["databaseClusterArns"] = [{"Fn::GetAtt": ["East", "Arn"]}, {"Fn::GetAtt": "West.Arn"}]
    long = drafted(tmp_path, template)
    text = json.dumps(template)
    for form, short in (
        ('{"Ref": "Orders"}', "!Ref Orders"),
        ('{"Fn::GetAtt": ["East", "Arn"]}', "!GetAtt East.Arn"),
        ('{"Fn::GetAtt": "West.Arn"}', "!GetAtt [West, Arn]"),
    ):
        text = text.replace(form, short)
    assert drafted(tmp_path, text).files() == long.files()
    assert long.plan.expressions == {
        "fill-in-Orders": "!Ref Orders",
        "fill-in-East.Arn": "!GetAtt East.Arn",
        "fill-in-West.Arn": "!GetAtt West.Arn",
    }


def test_expressions_are_kept_by_name_and_the_draft_still_loads(tmp_path: Path) -> None:
    draft = importing.region_switch(SAMPLES / "variables.template.yaml", "OrdersPlan")
    assert "!Sub arn:aws:rds:us-west-2:${AWS::AccountId}:cluster:${WestCluster}" in draft.plan.expressions.values()
    found = loaded(draft, tmp_path / "draft")
    orders = found.topology.resources["ordersglobal"]
    assert orders.id == "fill-in-OrdersGlobal"
    # The region of an ARN that is written out places it, whatever its place in the list.
    assert orders.members["us-west-2"].startswith("fill-in-arn-aws-rds-us-west-2")
    for name, expression in draft.plan.expressions.items():
        assert f"{name} = {expression[:20]}" in re.sub(r"\n#\s+", " ", draft.files()["cloudfail.yaml"])


def test_where_the_order_alone_says_in_which_region_something_stands_a_person_is_asked() -> None:
    draft = importing.region_switch(SAMPLES / "variables.template.yaml", "OrdersPlan")
    assert "is assumed from the order in the plan" in draft.files()["cloudfail.yaml"]


def test_a_dollar_in_an_identifier_is_kept_as_it_is(tmp_path: Path) -> None:
    plan = one_block("AuroraGlobalDatabase")
    settings_ = plan["workflows"][0]["steps"][0]["executionBlockConfiguration"]["globalAuroraConfig"]
    settings_["globalClusterIdentifier"] = "odd ${from} \"quoted\" 'name' # here"
    found = loaded(drafted(tmp_path, plan), tmp_path / "draft")
    (orders,) = found.topology.resources.values()
    assert orders.id == "odd ${from} \"quoted\" 'name' # here"


def test_json_may_be_indented_with_tabs_and_hold_any_character(tmp_path: Path) -> None:
    plan = sample("shop.json") | {"description": "Moves 🛒 where it is safe"}
    draft = drafted(tmp_path, json.dumps(plan, indent="\t"))
    assert "🛒" in draft.files()["cloudfail.yaml"]


# ---- the draft as a whole


@pytest.mark.parametrize("file", ANY_DRAFT)
def test_a_draft_loads_and_lint_finds_no_error_in_it(file: str, tmp_path: Path) -> None:
    draft = importing.region_switch(SAMPLES / file)
    found = loaded(draft, tmp_path / "draft")
    assert [str(one) for one in lint(found, ACTIONS) if one.severity is Severity.ERROR] == []
    assert importing.judge(draft, "draft").errors == 0


def test_a_draft_of_known_kinds_loads_with_the_fake_of_the_cloud(tmp_path: Path) -> None:
    found = loaded(importing.region_switch(SAMPLES / "shop.json"), tmp_path / "draft", FakeProvider("aws"))
    assert set(found.runbooks) == {"evacuate", "switchover", "restore"}
    assert found.topology.objectives.rto_seconds == 1800
    assert found.topology.objectives.rpo_seconds == 0
    assert found.topology.policy.automation == "off"


@pytest.mark.parametrize("mode", [Mode.FAILOVER, Mode.SWITCHOVER])
def test_fence_approval_promotion_write_and_traffic_come_in_that_order(mode: Mode) -> None:
    steps = steps_of(importing.region_switch(SAMPLES / "shop.json"), mode)
    way = ["freeze", "fence-orders-global", "go-or-no-go", "orders-database", "write-orders-global", "shift-users"]
    for first, then in zip([*way, "users"], [*way[1:], "users", "unfreeze"], strict=False):
        assert first == then or first in before(steps, then)
    assert ADDED in steps["fence-orders-global"].remarks
    assert ADDED not in steps["go-or-no-go"].remarks


def test_without_an_approval_in_the_plan_one_is_added(tmp_path: Path) -> None:
    plan = sample("shop.json")
    del plan["workflows"][0]["steps"][1]
    steps = steps_of(drafted(tmp_path, plan), Mode.FAILOVER)
    assert ADDED in steps["approve"].remarks
    assert "fence-orders-global" in before(steps, "approve")
    assert "approve" in before(steps, "orders-database")


def test_an_order_that_a_runbook_forbids_is_turned_round_and_said(tmp_path: Path) -> None:
    plan = sample("shop.json")
    plan["workflows"][0]["steps"].reverse()
    draft = drafted(tmp_path, plan)
    steps = steps_of(draft, Mode.FAILOVER)
    assert "orders-database" in before(steps, "shift-users")
    assert [one for one in steps["shift-users"].remarks if one.startswith("moved: Region switch does it before")]
    found = loaded(draft, tmp_path / "draft")
    assert [str(one) for one in lint(found, ACTIONS) if one.severity is Severity.ERROR] == []


def test_steps_side_by_side_stay_side_by_side() -> None:
    steps = steps_of(importing.region_switch(SAMPLES / "every-block.json"), Mode.FAILOVER)
    assert steps["scale-web"].needs == steps["scale-basket"].needs
    assert "scale-basket" not in before(steps, "scale-web")


def test_a_trigger_never_turns_automation_on() -> None:
    text = importing.region_switch(SAMPLES / "every-block.json").files()["cloudfail.yaml"]
    assert 'policy: {automation: "off", cool_down: 45m, runbook: evacuate}' in text
    assert "# not carried: alarm checkout errors" in text


def test_what_was_not_carried_is_told_once(tmp_path: Path) -> None:
    losses = importing.region_switch(SAMPLES / "every-block.json").losses
    assert len({one.what for one in losses}) == len(losses)


def test_workflows_of_single_regions_become_runbooks_of_their_own(tmp_path: Path) -> None:
    plan = sample("shop.json")
    flow = plan["workflows"][0]
    plan["workflows"] = [{**flow, "workflowTargetRegion": region} for region in ("us-east-1", "us-west-2")]
    draft = drafted(tmp_path, plan)
    assert draft.standing == "evacuate-to-us-west-2"
    assert len(draft.resources) == len(drafted(tmp_path, sample("shop.json")).resources)
    found = loaded(draft, tmp_path / "draft")
    assert {"evacuate-to-us-east-1", "evacuate-to-us-west-2", "switchover-to-us-east-1"} <= set(found.runbooks)


def test_regions_that_the_template_leaves_open_are_named_all_the_same(tmp_path: Path) -> None:
    plan = sample("shop.json") | {"regions": [{"Ref": "Home"}, {"Ref": "Away"}], "primaryRegion": {"Ref": "Home"}}
    draft = drafted(tmp_path, plan)
    assert draft.primary == "fill-in-Home"
    loaded(draft, tmp_path / "draft")


# ---- bad input


def mistakes(tmp_path: Path, text: str | bytes, resource: str | None = None) -> str:
    file = tmp_path / "plan.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        importing.region_switch(file, resource)
    assert re.match(r".*plan\.yaml:\d+:\d+: ", str(caught.value))
    return str(caught.value).replace(str(file), "plan.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "plan.yaml:1:1: the file is empty"),
        ("hello: there\n", "1:1: this is not a Region switch plan"),
        ("[1, 2]", "1:1: this is not a Region switch plan"),
        ("just words", "1:1: this is not a Region switch plan"),
        ('{"plan": {"name": "x"}}', "does not name two regions"),
        ('{"plan": {"name": "x", "regions": ["a", "a"], "workflows": []}}', "does not name two regions"),
        ('{"plan": {"regions": ["a", "b"], "workflows": []}}', '"name" is missing'),
        ('{"plan": {"name": "x", "regions": ["a", "b"], "workflows": 3}}', '"workflows" is missing, or no list'),
        ('{"plan": {"name": "x", "name": "y"}}', 'the key "name" stands twice'),
        ("plan:\n\tname: x\n", "2:1: this line is indented with a tab"),
        ('{"plan": {"name": "x"', "this is not YAML"),
        (b"\x00\x01\x02", "the file holds a NUL byte"),
        (b"\xff\xfe\xfa", "the file is not UTF-8"),
        ("a" * ((1 << 20) + 1), "larger than 1 MiB"),
        ("[" * 500 + "]" * 500, "nested more than 64 deep"),
        ('{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}', "holds no resource of the type"),
        ('{"Resources": {"P": {"Type": "AWS::ARCRegionSwitch::Plan"}}}', "P has no Properties"),
    ],
)
def test_bad_input_is_told_with_its_place(text: str | bytes, said: str, tmp_path: Path) -> None:
    assert said in mistakes(tmp_path, text)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        importing.region_switch(tmp_path / "none.json")


def test_of_several_plans_one_must_be_chosen(tmp_path: Path) -> None:
    text = (SAMPLES / "variables.template.yaml").read_text(encoding="utf-8")
    assert "--resource OrdersPlan or PaymentsPlan" in mistakes(tmp_path, text)
    assert "did you mean OrdersPlan?" in mistakes(tmp_path, text, "OrderPlan")


def test_a_resource_of_a_file_that_is_no_template_is_refused() -> None:
    with pytest.raises(Refused, match="--resource"):
        importing.region_switch(SAMPLES / "shop.json", "ShopPlan")


def test_a_key_that_is_no_text_matters_in_the_plan_only(tmp_path: Path) -> None:
    text = (SAMPLES / "shop.template.yaml").read_text(encoding="utf-8")
    elsewhere = text + "Mappings:\n  Accounts:\n    111111111111: {Name: shop}\n"
    assert drafted(tmp_path, elsewhere).application == "shop"
    inside = text.replace("      Name: shop\n", "      Name: shop\n      12: twelve\n")
    assert "this key is not text but a number" in mistakes(tmp_path, inside)


def test_more_steps_than_a_runbook_holds_are_refused(tmp_path: Path) -> None:
    plan = sample("shop.json")
    plan["workflows"][0]["steps"] = plan["workflows"][0]["steps"][1:2] * (BLOCKS_MAX + 1)
    with pytest.raises(CloudfailError, match="more than 150 steps"):
        drafted(tmp_path, plan)


def test_more_applications_in_one_block_than_a_runbook_holds_are_refused(tmp_path: Path) -> None:
    plan = one_block("EKSResourceScaling")
    settings_ = plan["workflows"][0]["steps"][0]["executionBlockConfiguration"]["eksResourceScalingConfig"]
    settings_["scalingResources"] = [
        {f"app-{index}": places for places in settings_["scalingResources"][0].values()} for index in range(220)
    ]
    with pytest.raises(Refused, match="a runbook holds 200"):
        drafted(tmp_path, plan)


# ---- anything at all

WORDS = sorted(
    {"plan", "name", "regions", "workflows", "steps", "executionBlockType", "executionBlockConfiguration", "Ref"}
    | {"Resources", "Type", "Properties", "Fn::Sub", "workflowTargetAction", "activate", "us-east-1", "us-west-2"}
    | {one.member for one in BLOCKS.values()}
    | set(BLOCKS)
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.sampled_from(WORDS)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=4),
    max_leaves=25,
)
# Without shrinking: a plan with a few damages is small enough to be read, and shrinking it takes minutes.
QUIET = settings(
    max_examples=120,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@QUIET
@given(ANYTHING)
def test_no_json_makes_it_crash(tmp_path: Path, anything: Any) -> None:
    try:
        drafted(tmp_path, anything).files()
    except CloudfailError as error:
        assert str(error)


@settings(QUIET, max_examples=60)
@given(st.data())
def test_no_damage_to_a_plan_makes_it_crash_and_what_is_drafted_loads(tmp_path: Path, data: st.DataObject) -> None:
    plan = sample("every-block.json")
    for _ in range(data.draw(st.integers(1, 4))):
        node: Any = plan
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            key = data.draw(st.sampled_from(keys))
            inner = node[key]
            if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 5)) == 0:
                break
            node = inner
        node[key] = data.draw(LEAVES | st.just({"Ref": "Open"}) | st.just([]) | ANYTHING)
    try:
        draft = drafted(tmp_path, plan)
    except CloudfailError as error:
        assert str(error)
        return
    opinion = importing.judge(draft, "draft")
    assert not [one for one in opinion.findings if "warning" not in one and "error:" not in one], opinion.findings


@QUIET
@given(st.binary(max_size=200))
def test_no_bytes_make_it_crash(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "plan"
    file.write_bytes(raw)
    with pytest.raises(CloudfailError):
        importing.region_switch(file)


# ---- on a cloud in memory


def test_the_draft_of_an_evacuation_runs_to_its_end_on_a_cloud_in_memory(tmp_path: Path) -> None:
    found = loaded(importing.region_switch(SAMPLES / "shop.json"), tmp_path / "draft", FakeProvider("aws"))
    stage = Stage(found)
    run = stage.open("evacuate", "us-east-1", "us-west-2")
    stage.drive()
    assert stage.run(run).phase == "done", stage.run(run).halted_because
