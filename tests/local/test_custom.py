"""custom: command. Real commands: one that begins slow work and returns, one that says how far it has come."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from cloudfail.errors import OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import CustomWord
from cloudfail.model.topology import PortName, Resource
from cloudfail.testing.custom_suite import CustomHarness, CustomSuite
from cloudfail_local import provider
from cloudfail_local.custom import CommandCustom
from tests.local.servers import call, known

ACT = """#!/bin/sh
echo "$CLOUDFAIL_RUN|$CLOUDFAIL_STEP|$CLOUDFAIL_EPOCH|$CLOUDFAIL_KEY|$CLOUDFAIL_REGION" >> {place}/begun
( sleep 0.3; touch {place}/done ) > /dev/null 2>&1 &
echo "on its way"
"""
OBSERVE = """#!/bin/sh
test -e {place}/away && exit 7
test -e {place}/done && {{ echo "done: the cache is empty in $CLOUDFAIL_REGION"; exit 0; }}
test -e {place}/begun && {{ echo moving; exit 0; }}
echo todo
"""


def script(path: Path, text: str) -> list[str]:
    path.write_text(text.format(place=path.parent))
    path.chmod(0o755)
    return [str(path)]


def purge(place: Path, act: str = ACT, observe: str = OBSERVE) -> CommandCustom:
    member = {"act": script(place / "act", act), "observe": script(place / "observe", observe)}
    return CommandCustom(Resource("purge", PortName.CUSTOM, "command", "local", None, {"west": member}, {}))


class Site:
    """Fulfils CustomHarness. A region is away where its observing command says nothing."""

    source, target = "east", "west"

    def __init__(self, place: Path) -> None:
        self.place = place
        self.made = purge(place)

    def port(self) -> Any:
        return self.made

    def make_unreachable(self, _region: str) -> None:
        (self.place / "away").touch()

    def restore(self, _region: str) -> None:
        (self.place / "away").unlink()

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.2))

    def fencing(self, verb: str) -> str:
        return provider.kinds()[PortName.CUSTOM, "command"].verbs[verb].fencing

    def begun(self) -> int:
        return len(begun(self.place))


def begun(place: Path) -> list[str]:
    lines = place / "begun"
    return lines.read_text().splitlines() if lines.exists() else []


class TestCommand(CustomSuite):
    @pytest.fixture
    def world(self, tmp_path: Path) -> CustomHarness:
        return Site(tmp_path)


def test_the_command_is_told_for_whom_it_runs_and_what_it_said_is_kept(tmp_path: Path) -> None:
    lines: list[str] = []
    custom = purge(tmp_path)
    custom.invoke("west", expect=known(custom.read("west", "run-1")), call=call(7, lines=lines))
    assert begun(tmp_path) == ["run-1|step|7|key|west"]
    assert lines == ["on its way"]


def test_a_command_that_ends_with_0_completes_nothing(tmp_path: Path) -> None:
    custom = purge(tmp_path, act="#!/bin/sh\nexit 0\n")
    custom.invoke("west", expect=known(custom.read("west", "run-1")), call=call())
    assert known(custom.read("west", "run-1")).word is CustomWord.TODO


@pytest.mark.parametrize(
    ("act", "error"),
    [
        ("#!/bin/sh\ntouch {place}/done\nexit 3\n", OutcomeUnknown),  # it failed, and had done it
        ("#!/bin/sh\nexit 75\n", OutcomeUnknown),
        ("#!/bin/sh\nsleep 30\n", OutcomeUnknown),
        ("#!/bin/sh\n/nobody/has/this\n", Permanent),  # 127
        ("#!/nobody/has/this\n", Permanent),
    ],
)
def test_how_it_ended_says_only_whether_it_may_have_begun(tmp_path: Path, act: str, error: type[Exception]) -> None:
    custom = purge(tmp_path, act=act)
    with pytest.raises(error):
        custom.invoke("west", expect=known(custom.read("west", "run-1")), call=call(seconds=1.0))


@pytest.mark.parametrize(
    "observe",
    [
        "#!/bin/sh\nexit 1\n",
        "#!/bin/sh\necho done\nexit 1\n",
        "#!/bin/sh\n",
        "#!/bin/sh\necho 'the cache is done'\n",
        "#!/bin/sh\necho unseen\n",
        "#!/bin/sh\nsleep 30\n",
        "#!/nobody/has/this\n",
    ],
)
def test_an_observe_that_says_none_of_its_words_is_unknown_and_nothing_is_begun(tmp_path: Path, observe: str) -> None:
    member = {"act": script(tmp_path / "act", ACT), "observe": script(tmp_path / "observe", observe)}
    options = {"answer_within": "1s"}
    custom = CommandCustom(Resource("purge", PortName.CUSTOM, "command", "local", None, {"west": member}, options))
    assert isinstance(custom.read("west", "run-1"), Unknown)
    expect = known(purge(tmp_path).read("west", "run-1"))
    script(tmp_path / "observe", observe)
    with pytest.raises(Transient):
        custom.invoke("west", expect=expect, call=call())
    assert begun(tmp_path) == []


def test_where_there_is_no_member_nothing_is_known_and_nothing_is_begun(tmp_path: Path) -> None:
    custom = purge(tmp_path)
    expect = known(custom.read("west", "run-1"))
    assert isinstance(custom.read("east", "run-1"), Unknown)
    with pytest.raises(Permanent):
        custom.invoke("east", expect=expect, call=call())


def test_what_it_says_is_bounded_and_holds_no_secret(tmp_path: Path) -> None:
    observe = "#!/bin/sh\necho \"todo password=hunter2hunter2 $(head -c 5000 /dev/zero | tr '\\\\0' x)\"\n"
    act = "#!/bin/sh\necho 'token: abcdefgh12345678' >&2\nexit 9\n"
    custom = purge(tmp_path, act=act, observe=observe)
    state = known(custom.read("west", "run-1"))
    assert len(state.detail) <= 200
    lines: list[str] = []
    with pytest.raises(OutcomeUnknown) as raised:
        custom.invoke("west", expect=state, call=call(lines=lines))
    said = " ".join([state.detail, str(raised.value), *lines])
    assert "hunter2" not in said
    assert "abcdefgh12345678" not in said


def test_no_shell_sees_what_the_file_says(tmp_path: Path) -> None:
    """An argv is handed over as it is: a name with a semicolon in it is a name."""
    member = {"act": ["touch", f"{tmp_path}/a;touch b"], "observe": ["echo", "todo"]}
    custom = CommandCustom(Resource("x", PortName.CUSTOM, "command", "local", None, {"west": member}, {}))
    custom.invoke("west", expect=known(custom.read("west", "run-1")), call=call())
    assert [path.name for path in tmp_path.iterdir()] == ["a;touch b"]
