"""custom: lambda, on ministack, which really runs the function, with a network that fails."""

from __future__ import annotations

import io
import json
import time
import weakref
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pydantic import ValidationError

from cloudfail.actions import Done, Moving, NotKnown, Owed, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import CustomState, CustomWord
from cloudfail.model.topology import PortName
from cloudfail.testing.conformance import Calls, known
from cloudfail.testing.custom_suite import RUN, CustomHarness, CustomSuite
from cloudfail_aws.custom.function import LambdaCustom
from cloudfail_aws.custom.options import FunctionMember
from tests.emulators.aws.front import Front
from tests.emulators.aws.members import TARGET, World, asking, kind_of, resource, sdk, step, unique

CODE = """
import json, os, time

def handler(event, context):
    place = event["arguments"]["place"]
    lines = []
    if os.path.exists(place):
        with open(place) as file:
            lines = [json.loads(line) for line in file]
    mode = event["arguments"].get("mode", "")
    if event["ask"] == "act":
        if mode != "deaf":
            with open(place, "a") as file:
                file.write(json.dumps({**event, "at": time.time()}) + "\\n")
        if mode == "breaks":
            raise RuntimeError("password=hunter2hunter2 is wrong")
        return "begun"
    if mode == "mute":
        return {"is it": "done"}
    if mode == "sick":
        raise RuntimeError("it broke")
    if mode == "undone":
        return {"state": "todo", "epoch": 20}
    if not lines:
        return {"state": "todo"}
    if time.time() - lines[0]["at"] < 0.4:
        return {"state": "moving", "epoch": lines[-1]["epoch"]}
    return {"state": "done", "detail": "the cache is empty", "epoch": lines[-1]["epoch"]}
"""
# By the front itself: another one may be given the same port later.
FUNCTIONS: weakref.WeakKeyDictionary[Front, str] = weakref.WeakKeyDictionary()


def is_there(front: Front, name: str) -> bool:
    """The front outlives a test, and others have the emulator forget all that it holds."""
    try:
        sdk(front, "lambda").get_function(FunctionName=name)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ResourceNotFoundException", error
        return False
    return True


def a_function(front: Front) -> str:
    """One for all tests: what it finds done stands in the file that each names."""
    if front not in FUNCTIONS or not is_there(front, FUNCTIONS[front]):
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("app.py", CODE)
        name = unique("purge")
        sdk(front, "lambda").create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role="arn:aws:iam::123456789012:role/purge",
            Handler="app.handler",
            Code={"ZipFile": code.getvalue()},
            Timeout=10,
        )
        sdk(front, "lambda").publish_version(FunctionName=name)
        sdk(front, "lambda").create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        FUNCTIONS[front] = name
    return FUNCTIONS[front]


class Site(World):
    def __init__(self, front: Front, place: Path, **more: Any) -> None:
        super().__init__(front, kind_of(PortName.CUSTOM, "lambda"), None)
        self.place = place / "begun"
        self.member: Mapping[str, Any] = {
            "function": a_function(front),
            "qualifier": "live",
            "arguments": {"place": str(self.place), **more},
        }

    def port(self) -> LambdaCustom:
        of = resource(PortName.CUSTOM, "lambda", {TARGET: self.member}, "purge")
        members = {region: FunctionMember.model_validate(one) for region, one in of.members.items()}
        return LambdaCustom(asking(self.front, of), members)

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.2))

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.place.read_text().splitlines()] if self.place.exists() else []

    def begun(self) -> int:
        return len(self.events())

    def custom(self, _name: str) -> LambdaCustom:
        return self.port()


@pytest.fixture
def site(cloud: Front, tmp_path: Path) -> Callable[..., Site]:
    return lambda **more: Site(cloud, tmp_path, **more)


class TestLambda(CustomSuite):
    @pytest.fixture
    def world(self, site: Callable[..., Site]) -> CustomHarness:
        made: CustomHarness = site()
        return made


def look(site: Site, **arguments: Any) -> Any:
    said = {"name": "purge", "where": TARGET, "check": None, "unreachable": "fail", **arguments}
    return ACTIONS["custom.run"].observe(site, step("custom.run", **said))  # type: ignore[arg-type]


def order(site: Site, epoch: int = 10, key: str = "r1/step", lines: list[str] | None = None) -> None:
    call = Calls().make(epoch, key=key)
    if lines is not None:
        call = replace(call, log=lines.append)
    site.port().invoke(TARGET, expect=known(site.port().read(TARGET, RUN)), call=call)


def come_to(site: Site, kind: type[Any]) -> Any:
    for _ in range(60):
        seen = look(site)
        if isinstance(seen, kind):
            return seen
        time.sleep(0.2)
    raise AssertionError(seen)


def test_the_function_is_told_for_whom_it_runs(site: Callable[..., Site]) -> None:
    made, lines = site(), list[str]()
    order(made, epoch=17, key="r1/purge", lines=lines)
    (event,) = made.events()
    assert event.pop("at")
    assert event == {
        "ask": "act", "name": "purge", "region": TARGET, "run": "r1", "step": "step", "epoch": 17, "key": "r1/purge",
        "arguments": {"place": str(made.place)},
    }  # fmt: skip
    assert lines == [f'{made.member["function"]} answered: "begun"']
    assert come_to(made, Done).detail == f"purge in {TARGET}: the cache is empty"


def test_a_lost_answer_is_in_doubt_and_looked_at(site: Callable[..., Site], cloud: Front) -> None:
    made = site()
    state = known(made.port().read(TARGET, RUN))
    cloud.outages.lose(operation="Invoke", after=1, times=1)
    with pytest.raises(OutcomeUnknown):
        made.port().invoke(TARGET, expect=state, call=Calls().make())
    assert isinstance(look(made), Moving | Done)
    made.port().invoke(TARGET, expect=state, call=Calls().make())
    come_to(made, Done)
    assert made.begun() == 1


def test_a_function_that_answers_and_does_nothing_completes_nothing(site: Callable[..., Site]) -> None:
    made = site(mode="deaf")
    order(made)
    assert isinstance(look(made), Todo)
    assert made.begun() == 0


def test_a_function_that_failed_on_its_way_may_have_begun(site: Callable[..., Site]) -> None:
    """The request's own status is 200. What it said of a password is not repeated."""
    made = site(mode="breaks")
    with pytest.raises(OutcomeUnknown, match="failed on its way") as raised:
        order(made)
    assert "hunter2" not in str(raised.value)
    assert isinstance(look(made), Moving | Done)
    assert made.begun() == 1


@pytest.mark.parametrize("mode", ["mute", "sick"])
def test_an_observe_without_its_word_is_unknown_and_nothing_is_begun(site: Callable[..., Site], mode: str) -> None:
    made = site(mode=mode)
    assert isinstance(look(made), NotKnown)
    with pytest.raises(Transient):
        made.port().invoke(TARGET, expect=CustomState(CustomWord.TODO, version="todo None"), call=Calls().make())
    assert made.begun() == 0


def test_the_epoch_that_the_function_keeps_keeps_an_older_one_out(site: Callable[..., Site]) -> None:
    made = site()
    order(made, epoch=20)
    come_to(made, Done)
    seen = known(made.port().read(TARGET, RUN))
    assert seen.epoch == 20
    made.port().invoke(TARGET, expect=CustomState(CustomWord.TODO, version=seen.version), call=Calls().make(19))
    assert made.begun() == 1
    undone = site(mode="undone")
    with pytest.raises(Conflict, match="epoch 20"):
        order(undone, epoch=19)
    order(undone, epoch=21)
    assert undone.begun() == 2


def test_a_throttled_order_is_given_once_it_is_let_through(site: Callable[..., Site], cloud: Front) -> None:
    made = site()
    state = known(made.port().read(TARGET, RUN))
    fault = cloud.outages.throttle(operation="Invoke", after=1, times=1)
    made.port().invoke(TARGET, expect=state, call=Calls().make())
    assert (fault.hits, made.begun()) == (1, 1)


def test_an_answer_that_breaks_off_says_nothing(site: Callable[..., Site], cloud: Front) -> None:
    made = site()
    cloud.outages.cut(operation="Invoke")
    assert isinstance(look(made), NotKnown)
    cloud.outages.heal()
    state = known(made.port().read(TARGET, RUN))
    cloud.outages.cut(operation="Invoke", after=1)
    with pytest.raises(OutcomeUnknown):
        made.port().invoke(TARGET, expect=state, call=Calls().make())
    assert made.begun() == 1


def test_a_region_that_is_silent_is_owed_where_the_runbook_says_so(site: Callable[..., Site], cloud: Front) -> None:
    made = site()
    cloud.outages.silence(region=TARGET)
    assert isinstance(look(made, unreachable="owe"), Owed)


def test_a_function_that_is_not_there_is_refused_for_good(site: Callable[..., Site]) -> None:
    made = site()
    made.member = {"function": "nobody", "arguments": {}}
    assert isinstance(made.port().read(TARGET, RUN), Unknown)
    with pytest.raises(Permanent):
        made.port().invoke(TARGET, expect=CustomState(CustomWord.TODO), call=Calls().make())


def test_a_function_of_its_own_may_observe(site: Callable[..., Site]) -> None:
    made = site()
    made.member = {**made.member, "observe": "nobody"}
    assert isinstance(made.port().read(TARGET, RUN), Unknown), "the one that acts was asked instead"
    made.member = {**made.member, "function": "nobody", "observe": f"{a_function(made.front)}:live"}
    read = made.port().read(TARGET, RUN)
    assert isinstance(read, Known)
    with pytest.raises(Permanent):
        made.port().invoke(TARGET, expect=read.value, call=Calls().make())


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("purge", ("purge", None)),
        ("purge:live", ("purge", "live")),
        ({"function": "purge", "qualifier": "7"}, ("purge", "7")),
    ],
)
def test_a_member_may_be_one_name(written: Any, meant: tuple[str, str | None]) -> None:
    made = FunctionMember.model_validate(written)
    assert (made.function, made.qualifier) == meant


@pytest.mark.parametrize(
    "written",
    [
        "",
        "purge:",
        "arn:aws:lambda:us-west-2:1:function:purge",
        {"functoin": "purge"},
        {"function": "purge", "arguments": {"key": "file:/key"}},
    ],
)
def test_what_names_no_function_is_a_mistake(written: Any) -> None:
    with pytest.raises(ValidationError):
        FunctionMember.model_validate(written)
