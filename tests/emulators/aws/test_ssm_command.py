"""custom: ssm-command, against a stand-in that is held against botocore's model and whose documents really run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cloudfail.actions import Done, Moving, NotKnown, Owed, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import CustomState, CustomWord
from cloudfail.model.topology import PortName
from cloudfail.testing.conformance import Calls, known
from cloudfail.testing.custom_suite import RUN, CustomHarness, CustomSuite
from cloudfail_aws.custom.options import CommandMember
from cloudfail_aws.custom.ssm_command import SsmCommand, tally
from tests.emulators.aws.front import Front
from tests.emulators.aws.members import SOURCE, TARGET, World, asking, kind_of, resource, sdk, step
from tests.emulators.aws.standins.run_command import RunCommand

NODES = ("i-0123456789abcdef0", "i-0123456789abcdef1", "i-0123456789abcdef2")
ACT = """
echo "$why" >> begun
test -e broken && exit 3
(sleep 0.2; touch done) > /dev/null 2>&1 &
"""
LOOK = """# looks
test -e mute && { echo 'no such program'; exit 0; }
test -e done && { echo 'done: drained'; exit 0; }
test -e begun && { echo moving; exit 0; }
echo todo
"""
MEMBER: Mapping[str, Any] = {
    "document": "shop-drain",
    "parameters": {"why": "evacuation"},
    "instances": list(NODES),
    "observe": {"document": "shop-drained"},
    "answer_within": "6s",
}


class Site(World):
    """Three instances in the target, on which nothing was begun."""

    def __init__(self, front: Front, machine: RunCommand, place: Path, member: Mapping[str, Any] = MEMBER) -> None:
        super().__init__(front, kind_of(PortName.CUSTOM, "ssm-command"), None)
        self.machine, self.place = machine, place
        machine.documents = {"shop-drain": ACT, "shop-drained": LOOK}
        self.nodes = [machine.instance(TARGET, name, place / name, Role="cdn") for name in NODES]
        self.member = member

    def port(self) -> SsmCommand:
        of = resource(PortName.CUSTOM, "ssm-command", {TARGET: self.member}, "drain")
        members = {region: CommandMember.model_validate(one) for region, one in of.members.items()}
        return SsmCommand(asking(self.front, of), members)

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.2))

    def begun(self) -> int:
        """On every instance alike, or it says so."""
        counts = {len(begun(node.place)) for node in self.nodes}
        assert len(counts) == 1, counts
        return counts.pop()

    # `actions.World`, as far as custom.run asks it.
    passes: Known[bool] | Unknown = Known(True, 0.0)

    def custom(self, _name: str) -> SsmCommand:
        return self.port()

    def healthy(self, _check: str, _region: str) -> Known[bool] | Unknown:
        return self.passes


def begun(place: Path) -> list[str]:
    lines = place / "begun"
    return lines.read_text().splitlines() if lines.exists() else []


@pytest.fixture
def machine(cloud: Front, stand_in: Callable[..., Any]) -> Iterator[RunCommand]:
    made = RunCommand()
    cloud.serve("ssm", stand_in("ssm", made).answer)
    yield made
    cloud.serve("ssm", "ministack")


@pytest.fixture
def site(cloud: Front, machine: RunCommand, tmp_path: Path) -> Callable[..., Site]:
    return lambda **changes: Site(cloud, machine, tmp_path, {**MEMBER, **changes})


class TestSsmCommand(CustomSuite):
    @pytest.fixture
    def world(self, site: Callable[..., Site]) -> CustomHarness:
        made: CustomHarness = site()
        return made


def look(site: Site, **arguments: Any) -> Any:
    said = {"name": "drain", "where": TARGET, "check": None, "unreachable": "fail", **arguments}
    return ACTIONS["custom.run"].observe(site, step("custom.run", **said))  # type: ignore[arg-type]


def act(site: Site, seen: Todo, epoch: int = 10, **arguments: Any) -> None:
    said = {"name": "drain", "where": TARGET, "check": None, "unreachable": "fail", **arguments}
    ACTIONS["custom.run"].act(site, step("custom.run", **said), seen, Calls().make(epoch))  # type: ignore[arg-type]


def come_to(site: Site, kind: type[Any], **arguments: Any) -> Any:
    for _ in range(100):
        seen = look(site, **arguments)
        if isinstance(seen, kind):
            return seen
        time.sleep(0.1)
    raise AssertionError(seen)


# ---- sent once


def test_a_command_says_in_its_comment_which_run_and_epoch_sent_it(
    site: Callable[..., Site], machine: RunCommand
) -> None:
    made = site()
    act(made, come_to(made, Todo), epoch=17)
    (sent,) = machine.sent("shop-drain")
    assert " e17 " in sent.given["Comment"]
    assert sent.given["Comment"].endswith(" r1/step")
    assert sent.given["TimeoutSeconds"] == 60
    assert "MaxErrors" not in sent.given
    come_to(made, Done)
    assert made.begun() == 1
    assert begun(made.nodes[0].place) == ["evacuation"]


def test_a_lost_answer_is_in_doubt_and_the_command_is_not_sent_twice(
    site: Callable[..., Site], machine: RunCommand, cloud: Front
) -> None:
    made = site()
    todo = come_to(made, Todo)
    cloud.outages.lose(operation="SendCommand", times=1)
    with pytest.raises(OutcomeUnknown):
        act(made, todo)
    act_again = look(made)
    assert isinstance(act_again, Moving | Done), act_again
    with pytest.raises(Conflict):
        for _ in range(30):  # under way it is left alone, and once it has ended it is not as it was seen
            act(made, todo)
            time.sleep(0.1)
    come_to(made, Done)
    assert len(machine.sent("shop-drain")) == made.begun() == 1


def test_what_is_under_way_by_whomever_is_waited_for(site: Callable[..., Site], machine: RunCommand) -> None:
    made = site()
    todo = come_to(made, Todo)
    machine.delivery_seconds = 1.0
    made.port().invoke(TARGET, expect=todo.expect, call=Calls().make())
    machine.delivery_seconds = 0.05
    seen = known(made.port().read(TARGET, "another-run"))
    assert "is Pending" in seen.under_way
    assert machine.sent("shop-drained") == machine.sent("shop-drained")[:1], "it was observed while it was under way"
    assert isinstance(look(made), Moving)
    come_to(made, Done)


def test_a_throttled_command_is_sent_once_it_is_let_through(
    site: Callable[..., Site], machine: RunCommand, cloud: Front
) -> None:
    made = site()
    todo = come_to(made, Todo)
    fault = cloud.outages.throttle(operation="SendCommand", times=1)
    act(made, todo)
    assert fault.hits == 1
    assert len(machine.sent("shop-drain")) == 1


@pytest.mark.parametrize("how", ["cut", "repeat_page"])
def test_a_list_that_cannot_be_had_whole_sends_nothing(
    site: Callable[..., Site], machine: RunCommand, cloud: Front, how: str
) -> None:
    """A list that broke off would be one in which nothing is under way."""
    made = site()
    todo = come_to(made, Todo)
    for number in range(60):
        machine.send_command(
            {"DocumentName": "shop-drain", "InstanceIds": [], "Comment": f"by hand {number}"}, _asked(TARGET)
        )
    first = sdk(cloud, "ssm").list_commands(Filters=[{"key": "DocumentName", "value": "shop-drain"}])
    assert first["NextToken"]
    getattr(cloud.outages, how)(operation="ListCommands")
    assert isinstance(look(made), NotKnown)
    with pytest.raises(Transient):
        act(made, todo)
    assert made.begun() == 0


def _asked(region: str) -> Any:
    from tests.emulators.aws.asked import Asked

    return Asked("ssm", region, "SendCommand", "")


def test_a_list_that_does_not_show_it_yet_is_made_up_for_by_what_the_instances_say(
    site: Callable[..., Site], machine: RunCommand, cloud: Front
) -> None:
    """For as long as the list may be late there is the settle time, in which the machine does not look."""
    assert kind_of(PortName.CUSTOM, "ssm-command").settle_seconds == 5.0
    made = site(answer_within="2s")
    todo = come_to(made, Todo)
    cloud.outages.stale(600.0, operation="ListCommands")
    act(made, todo)
    time.sleep(1.0)
    assert known(made.port().read(TARGET, RUN)).under_way == "", "the list showed it, so this test proves nothing"
    come_to(made, Done)
    assert len(machine.sent("shop-drain")) == made.begun() == 1


def test_in_a_region_that_is_silent_it_is_owed_where_the_runbook_says_so(
    site: Callable[..., Site], cloud: Front
) -> None:
    made = site()
    cloud.outages.silence(region=TARGET)
    assert isinstance(look(made, unreachable="owe"), Owed)
    assert isinstance(look(made), NotKnown)


def test_an_older_epoch_sends_nothing(site: Callable[..., Site], machine: RunCommand) -> None:
    made = site()
    act(made, come_to(made, Todo), epoch=20)
    seen = known(made.port().read(TARGET, RUN))
    for _ in range(50):
        if not seen.under_way:
            break
        time.sleep(0.1)
        seen = known(made.port().read(TARGET, RUN))
    assert seen.epoch == 20
    stale = CustomState(CustomWord.TODO, version=seen.version)
    with pytest.raises(Conflict, match="epoch 20"):
        made.port().invoke(TARGET, expect=stale, call=Calls().make(19))
    assert len(machine.sent("shop-drain")) == 1


# ---- done when it is observed


def test_a_command_that_ended_well_and_did_nothing_completes_nothing(
    site: Callable[..., Site], machine: RunCommand
) -> None:
    made = site()
    machine.obeys = False
    act(made, come_to(made, Todo))
    time.sleep(0.5)
    seen = come_to(made, Todo)
    assert seen.before == "what this run ordered ended well, and it is not done: 0 of 3 instances say done, 3 needed"
    machine.obeys = True
    act(made, seen)
    come_to(made, Done)
    assert len(machine.sent("shop-drain")) == 2, "it was ordered again, once nothing was under way"


@pytest.mark.parametrize(("needed", "ends"), [("all", Todo), (2, Done)])
def test_it_is_done_on_as_many_instances_as_are_needed(
    site: Callable[..., Site], machine: RunCommand, needed: Any, ends: type[Any]
) -> None:
    made = site(needed=needed)
    (made.nodes[1].place / "broken").touch()
    (made.nodes[1].place / "done").unlink(missing_ok=True)
    machine.documents["shop-drained"] = LOOK.replace("test -e begun && { echo moving; exit 0; }", "")
    act(made, come_to(made, Todo))
    time.sleep(0.8)
    assert isinstance(come_to(made, ends), ends)
    assert ("MaxErrors" in machine.sent("shop-drain")[0].given) is (needed == 2)


def test_an_instance_that_says_nothing_is_not_taken_for_one_that_has_it_to_do(site: Callable[..., Site]) -> None:
    made = site()
    for node in made.nodes[:2]:
        (node.place / "done").touch()
    (made.nodes[2].place / "mute").touch()
    seen = look(made)
    assert isinstance(seen, NotKnown)
    assert "1 of 3 instances do not say" in seen.reason


def test_an_instance_whose_agent_is_gone_is_not_waited_for_longer_than_was_said(site: Callable[..., Site]) -> None:
    made = site(answer_within="2s")
    made.nodes[2].alive = False
    for node in made.nodes[:2]:
        (node.place / "done").touch()
    began = time.monotonic()
    assert isinstance(look(made), NotKnown), "the third may have done it, too"
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("words", "needed", "seen"),
    [
        ("ddd", "all", CustomWord.DONE),
        ("ddm", "all", CustomWord.MOVING),
        ("ddt", "all", CustomWord.TODO),
        ("dd?", "all", None),
        ("dd?", 2, CustomWord.DONE),
        ("dt?", 2, None),
        ("tt?", 2, CustomWord.TODO),
        ("mt?", 2, CustomWord.MOVING),
        ("ttt", 1, CustomWord.TODO),
    ],
)
def test_what_instances_say_together(words: str, needed: Any, seen: CustomWord | None) -> None:
    letters = {"d": CustomWord.DONE, "m": CustomWord.MOVING, "t": CustomWord.TODO, "?": None}
    said = [letters[one] for one in words]
    if seen is None:
        with pytest.raises(Transient):
            tally(said, needed)
    else:
        assert tally(said, needed)[0] is seen


def test_tags_that_no_instance_has_are_unknown_and_never_done(site: Callable[..., Site], machine: RunCommand) -> None:
    """AWS says Success of a command that went nowhere."""
    made = site(instances=[], tags={"Role": "nobody"})
    assert isinstance(look(made), NotKnown)
    unseen = site(instances=[], tags={"Role": "nobody"}, observe=None)
    act(unseen, come_to(unseen, Todo, check="shop"), check="shop")
    time.sleep(0.3)
    assert machine.sent("shop-drain")[0].status == "Success"
    assert isinstance(look(unseen, check="shop"), Todo)


def test_by_tags_it_runs_on_those_that_have_all_of_them(site: Callable[..., Site], machine: RunCommand) -> None:
    made = site(instances=[], tags={"Role": "cdn", "Stage": "live"})
    for node in made.nodes[:2]:
        node.tags["Stage"] = "live"
    act(made, come_to(made, Todo))
    come_to(made, Done)
    assert [len(begun(node.place)) for node in made.nodes] == [1, 1, 0]


# ---- without an observe


def test_without_an_observe_a_check_says_that_it_is_done(site: Callable[..., Site], machine: RunCommand) -> None:
    made = site(observe=None)
    assert isinstance(look(made), NotKnown), "nothing can tell"
    made.passes = Known(True, 0.0)
    todo = look(made, check="shop")
    assert isinstance(todo, Todo), "a check that passes says nothing of a command that was never sent"
    act(made, todo, check="shop")
    come_to(made, Done, check="shop")
    made.passes = Known(False, 0.0)
    assert isinstance(look(made, check="shop"), Moving)
    assert machine.sent("shop-drained") == []


def test_a_command_of_another_run_is_not_this_ones(site: Callable[..., Site]) -> None:
    made = site(observe=None)
    act(made, look(made, check="shop"), check="shop")
    come_to(made, Done, check="shop")
    assert known(made.port().read(TARGET, "another")).ended is None


def test_one_that_failed_on_an_instance_did_not_end_well(site: Callable[..., Site]) -> None:
    made = site(observe=None)
    (made.nodes[0].place / "broken").touch()
    act(made, look(made, check="shop"), check="shop")
    seen = come_to(made, Todo, check="shop")
    for _ in range(50):
        if "did not end well" in seen.before:
            break
        time.sleep(0.1)
        seen = come_to(made, Todo, check="shop")
    assert seen.before == "what this run ordered did not end well, and it is not done"


# ---- refused


def test_an_instance_that_is_not_there_had_no_effect_and_may_come(
    site: Callable[..., Site], machine: RunCommand
) -> None:
    made = site(instances=["i-0123456789abcdef9"])
    with pytest.raises(Transient, match="InvalidInstanceId"):
        made.port().invoke(TARGET, expect=CustomState(CustomWord.TODO, version="none"), call=Calls().make())
    assert machine.sent("shop-drain") == []


def test_a_document_that_is_not_there_is_refused_for_good(site: Callable[..., Site]) -> None:
    made = site(document="shop-drian")
    with pytest.raises(Permanent, match="shop-drian"):
        made.port().invoke(TARGET, expect=CustomState(CustomWord.TODO, version="none"), call=Calls().make())


def test_a_region_without_a_member_is_unknown_and_takes_no_order(site: Callable[..., Site]) -> None:
    made = site()
    assert isinstance(made.port().read(SOURCE, RUN), Unknown)
    with pytest.raises(Transient, match="no member"):
        made.port().invoke(SOURCE, expect=CustomState(CustomWord.TODO), call=Calls().make())


def test_whatever_it_needs_it_is_asked_of_its_members_region() -> None:
    kind = kind_of(PortName.CUSTOM, "ssm-command")
    of = resource(PortName.CUSTOM, "ssm-command", {TARGET: MEMBER}, "drain")
    for home, needed in (("none", "member"), ("member", "member"), (SOURCE, SOURCE)):
        stated = replace(of, options={"home": home, "plane": "data", "loses_data": False, "undo": "back"})
        facts = kind.facts("run", stated)
        assert (facts.home, facts.plane, facts.loses_data, facts.reversible) == (needed, "data", False, True)
    assert kind.facts("run", of).observed
    unseen = resource(PortName.CUSTOM, "ssm-command", {TARGET: {**MEMBER, "observe": None}}, "drain")
    assert not kind.facts("run", unseen).observed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"observe": {"document": "shop-drain"}}, "observe sends the document that acts"),
        ({"observe": {"document": "AWS-RunShellScript"}}, "whoever may send AWS-RunShellScript may run anything"),
        ({"tags": {"Role": "cdn"}}, "write one of them"),
        ({"instances": []}, "write one of them"),
        ({"needed": 4}, "4 of 3 instances can never do it"),
        ({"deliver_within": "10s"}, "no less than 30s"),
        ({"deliver_within": "2h"}, "after an hour"),
        ({"instances": ["i-1; reboot"]}, "instances"),
        ({"parameters": {"why": "env:WHY"}}, "would be handed over as it stands"),
        ({"documnet": "x"}, "documnet"),
    ],
)
def test_what_could_not_be_meant_is_a_mistake(change: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        CommandMember.model_validate({**MEMBER, **change})
