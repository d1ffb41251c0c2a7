"""What holds deploys: flag files, and commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloudfail.errors import Conflict, Permanent
from cloudfail.model.observation import Unknown
from cloudfail.model.topology import PortName, Resource
from cloudfail_local.change import CommandChange, FlagChange
from tests.local.servers import call, known


def flags(directory: Path) -> FlagChange:
    members = {"east": "east", "west": "west"}
    return FlagChange(
        Resource("deploys", PortName.CHANGE, "flag", "local", None, members, {"directory": str(directory)})
    )


def test_a_flag_says_who_made_it_and_under_which_epoch(tmp_path: Path) -> None:
    change = flags(tmp_path)
    before = known(change.read("east"))
    assert not before.frozen
    change.freeze("east", True, expect=before, call=call(4))
    seen = known(change.read("east"))
    assert (seen.frozen, seen.by, seen.epoch) == (True, "run-1", 4)
    assert json.loads((tmp_path / "east").read_text())["epoch"] == 4
    assert not known(change.read("west")).frozen
    change.freeze("east", True, expect=before, call=call(4, check=lambda: pytest.fail("sent")))
    change.freeze("east", False, expect=seen, call=call(4))
    assert not (tmp_path / "east").exists()


def test_an_older_epoch_may_neither_set_nor_take_a_flag_afterwards(tmp_path: Path) -> None:
    change = flags(tmp_path)
    change.freeze("east", True, expect=known(change.read("east")), call=call(4))
    with pytest.raises(Conflict):
        change.freeze("east", False, expect=known(change.read("east")), call=call(3))
    change.freeze("east", False, expect=known(change.read("east")), call=call(5))
    with pytest.raises(Conflict):
        change.freeze("east", True, expect=known(change.read("east")), call=call(4))


def test_a_flag_that_changed_is_a_conflict(tmp_path: Path) -> None:
    change = flags(tmp_path)
    before = known(change.read("east"))
    change.freeze("east", True, expect=before, call=call(1))
    seen = known(change.read("east"))
    change.freeze("east", False, expect=seen, call=call(2))
    with pytest.raises(Conflict):
        change.freeze("east", True, expect=seen, call=call(2))


def test_a_directory_that_is_not_there_holds_nobody(tmp_path: Path) -> None:
    assert isinstance(flags(tmp_path / "none").read("east"), Unknown)
    with pytest.raises(Permanent):
        FlagChange(
            Resource("d", PortName.CHANGE, "flag", "local", None, {"east": "../x"}, {"directory": str(tmp_path)})
        )


def test_commands_are_read_again_and_never_believed(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    member = {"read": ["test", "-e", str(flag)], "freeze": ["touch", str(flag)], "thaw": ["rm", str(flag)]}
    deaf = {**member, "freeze": ["true"]}
    broken = {**member, "read": ["sh", "-c", "exit 9"]}
    members = {"east": member, "west": deaf, "north": broken}
    change = CommandChange(Resource("d", PortName.CHANGE, "command", "local", None, members, {}))
    change.freeze("east", True, expect=known(change.read("east")), call=call())
    assert known(change.read("east")).frozen
    change.freeze("east", False, expect=known(change.read("east")), call=call())
    assert not flag.exists()
    change.freeze("west", True, expect=known(change.read("west")), call=call())
    assert not known(change.read("west")).frozen
    assert isinstance(change.read("north"), Unknown)
