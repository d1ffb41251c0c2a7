"""In whose accounts cloudfail would act: another one than the file says refuses, and what nobody could ask does not."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloudfail import config, registry
from cloudfail.accounts import refuse_others, standings
from cloudfail.app import App
from cloudfail.entrypoints.cli import app as cli
from cloudfail.errors import Refused
from cloudfail.execution.lifecycle import Phase
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.policy import Automation
from cloudfail.model.topology import Topology
from cloudfail.ports import Identity
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.clock import VirtualClock
from cloudfail.testing.fakecloud import FakeCloud
from cloudfail.testing.fakeworld import FakeWorld
from cloudfail.testing.provider import FakeProvider

OURS, PRODUCTION = "111111111111", "999999999999"
FILE = """
application: shop
objectives: {rto: 15m, rpo: 30s}
regions:
  east: {provider: aws, account: "111111111111"}
  west: {provider: aws, account: "111111111111"}
  north: {provider: aws}
primary: east
state: "memory:"
resources:
  deploys: {change: pipeline, members: {east: e, west: w}}
checks:
  web: {tcp: "localhost:1", every: 100ms, timeout: 100ms}
"""
RUNBOOK = """
name: hold
mode: restore
steps:
  freeze: {action: change.freeze, with: {where: "${to}"}, limit: 20s}
"""


@dataclass
class Cloud(FakeProvider):
    """A provider with accounts. who: by region, else of all."""

    who: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __init__(self, everywhere: Any, **who: Any) -> None:
        super().__init__("aws")
        self.everywhere, self.who, self.asked = everywhere, who, []

    def role_mistake(self, role: str) -> tuple[str, str] | None:
        return None

    def account_of(self, role: str) -> str:
        return role.split(":")[4]

    def identity_in(self, topology: Topology, region: str, role: str) -> Known[Identity] | Unknown:
        self.asked.append((region, role))
        said = self.who.get(region, self.everywhere)
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, Unknown) else Known(Identity(said, f"somebody of {said}"), 0.0)


class Paths(Cloud):
    """Whose roles' names do not say where they act."""

    def account_of(self, role: str) -> str:
        return ""


def load(folder: Path, provider: Any, file: str = FILE) -> config.Loaded:
    (folder / "cloudfail.yaml").write_text(file, encoding="utf-8")
    (folder / "hold.yaml").write_text(RUNBOOK, encoding="utf-8")
    return config.load(folder / "cloudfail.yaml", [folder / "hold.yaml"], {"aws": provider})


def app_of(folder: Path, provider: Any, file: str = FILE) -> App:
    loaded = load(folder, provider, file)
    made = App(loaded, MemoryStore(), "alice")
    made.world = FakeWorld(FakeCloud(loaded.topology, VirtualClock()))  # type: ignore[assignment]  # no databases here
    made.record = lambda counted=None: None  # type: ignore[method-assign]  # nor anything to count
    return made


def test_the_account_that_the_file_says_is_no_matter(tmp_path: Path) -> None:
    app = app_of(tmp_path, Cloud(OURS))
    plan = app.review("east", "west", "hold").plan
    assert app.open_run(plan, automation=Automation.OFF, reason="a drill")


@pytest.mark.parametrize("where", ["east", "west"])
def test_another_account_in_a_region_of_the_plan_refuses_planning_with_three_sentences(
    tmp_path: Path, where: str
) -> None:
    app = app_of(tmp_path, Cloud(OURS, **{where: PRODUCTION}))
    with pytest.raises(Refused) as refused:
        app.review("east", "west", "hold")
    assert refused.value.happened == (
        f"{where}: reads and changes as somebody of {PRODUCTION} of account {PRODUCTION}, "
        f"and cloudfail.yaml says {OURS}."
    )
    assert refused.value.true_now == "Nothing was changed."
    assert f"credentials of account {OURS}" in refused.value.to_do
    assert not app.log().reviewed, "it is not kept, so it cannot be started"


def test_another_account_where_the_plan_does_nothing_is_none_of_its_business(tmp_path: Path) -> None:
    file = FILE.replace("north: {provider: aws}", 'north: {provider: aws, account: "111111111111"}')
    assert app_of(tmp_path, Cloud(OURS, north=PRODUCTION), file).review("east", "west", "hold").plan


def test_who_opens_a_run_or_carries_one_on_is_asked_too(tmp_path: Path) -> None:
    """The plan was reviewed by somebody with the right credentials."""
    good = app_of(tmp_path, Cloud(OURS))
    plan = good.review("east", "west", "hold").plan
    bad = App(load(tmp_path, Cloud(PRODUCTION)), good.store, "mallory")
    with pytest.raises(Refused, match=f"says {OURS}"):
        bad.open_run(plan, automation=Automation.OFF, reason="a drill")
    assert good.log().run is None
    run = good.open_run(plan, automation=Automation.OFF, reason="a drill")
    bad.log()
    with pytest.raises(Refused, match=f"says {OURS}"):
        bad.drive()
    assert good.run(run).phase is Phase.RUNNING
    assert not any(track.ordered for track in good.run(run).tracks.values())


def test_what_an_ended_run_changed_is_not_put_back_by_somebody_elses_credentials(tmp_path: Path) -> None:
    good = app_of(tmp_path, Cloud(OURS))
    run = good.open_run(good.review("east", "west", "hold").plan, automation=Automation.OFF, reason="a drill")
    good.drive()
    assert good.run(run).phase is Phase.DONE
    bad = App(load(tmp_path, Cloud(PRODUCTION)), good.store, "mallory")
    bad.log()
    with pytest.raises(Refused, match=f"says {OURS}"):
        bad.watch_over(run)
    good.watch_over(run)
    assert bad.drive().run is None, "there is nothing to carry on, so nobody is asked who they are"


def test_a_watch_with_other_credentials_leaves_an_open_run_alone_and_says_why(tmp_path: Path) -> None:
    from cloudfail.decide import Decision, DecisionKind
    from cloudfail.watcher import Watcher

    good = app_of(tmp_path, Cloud(OURS))
    run = good.open_run(good.review("east", "west", "hold").plan, automation=Automation.OFF, reason="a drill")
    bad = App(load(tmp_path, Cloud(PRODUCTION)), good.store, "mallory")
    bad.world.warm = lambda: None  # type: ignore[method-assign]  # the kinds here are on paper
    told: list[Decision] = []
    Watcher(bad, lambda moment: told.append(moment.decision)).run(until=bad.clock.boot() + 60, stop=lambda: bool(told))
    assert told[0].kind is DecisionKind.REFUSE
    assert f"says {OURS}" in told[0].reasons[0]
    assert good.run(run).phase is Phase.RUNNING
    assert not any(track.ordered for track in good.run(run).tracks.values())


@pytest.mark.parametrize("silence", [Unknown("STS does not answer"), RuntimeError("a provider's mistake")])
def test_what_nobody_could_ask_is_said_and_blocks_nothing(tmp_path: Path, silence: Any) -> None:
    app = app_of(tmp_path, Cloud(silence))
    plan = app.review("east", "west", "hold").plan
    assert app.open_run(plan, automation=Automation.OFF, reason="us-east-1 is lost, and STS with it")
    assert all("is unknown" in standing.sentence for standing in app.who())


def test_a_provider_without_accounts_and_a_region_without_one_are_not_asked_for_one(tmp_path: Path) -> None:
    assert app_of(tmp_path, FakeProvider("aws")).who() == ()
    file = FILE.replace(', account: "111111111111"', "")
    app = app_of(tmp_path, Cloud(PRODUCTION), file)
    assert app.review("east", "west", "hold").plan
    assert "names no account" in app.who()[0].sentence


def test_roles_that_change_things_are_judged_by_their_name_and_not_taken_on(tmp_path: Path) -> None:
    """execute is for open runs alone."""
    roles = "roles: {watch: 'arn:aws:iam::%s:role/watch', execute: 'arn:aws:iam::%s:role/execute'}"
    east = f'east: {{provider: aws, account: "{OURS}"'
    file = FILE.replace(f"{east}}}", f"{east}, {roles % (OURS, PRODUCTION)}}}")
    provider = Cloud(OURS)
    app = app_of(tmp_path, provider, file)
    with pytest.raises(Refused) as refused:
        app.review("east", "west", "hold")
    assert "changes as arn:aws:iam::999999999999:role/execute of account 999999999999" in refused.value.happened
    assert ("east", f"arn:aws:iam::{OURS}:role/watch") in provider.asked
    assert not any("execute" in role for _, role in provider.asked)
    allowed = file.replace(f"{PRODUCTION}:role/execute", f"{OURS}:role/execute")
    assert app_of(tmp_path, Cloud(OURS), allowed).review("east", "west", "hold").plan


def test_a_role_whose_name_does_not_say_where_it_acts_is_asked_itself(tmp_path: Path) -> None:
    """As the provider can: with credentials that only read."""
    roles = "roles: {watch: 'arn:aws:iam::%s:role/watch', execute: 'arn:aws:iam::%s:role/execute'}"
    east = f'east: {{provider: aws, account: "{OURS}"'
    file = FILE.replace(f"{east}}}", f"{east}, {roles % (OURS, PRODUCTION)}}}")
    provider = Paths(OURS)
    assert app_of(tmp_path, provider, file).review("east", "west", "hold").plan
    assert ("east", f"arn:aws:iam::{PRODUCTION}:role/execute") in provider.asked
    with pytest.raises(Refused, match=PRODUCTION):
        app_of(tmp_path, Paths(PRODUCTION), file).review("east", "west", "hold")


def test_one_region_that_does_not_answer_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudfail import accounts

    hangs = threading.Event()
    monkeypatch.setattr(accounts, "ASK_SECONDS", 0.5)

    class Hanging(Cloud):
        def identity_in(self, topology: Topology, region: str, role: str) -> Known[Identity] | Unknown:
            if region == "east":
                hangs.wait(60)
            return super().identity_in(topology, region, role)

    loaded = load(tmp_path, Hanging(PRODUCTION))
    found = {one.region: one for one in standings(loaded.topology, loaded.providers, loaded.topology.regions)}
    hangs.set()
    assert isinstance(found["east"].found, Unknown)
    assert found["west"].differs
    with pytest.raises(Refused):
        refuse_others(found.values())


def test_check_shows_who_we_are_in_each_region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Cloud(OURS, west=PRODUCTION)
    monkeypatch.setattr(registry, "provider", lambda name: provider)
    load(tmp_path, provider)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["check", "--config", "cloudfail.yaml"])
    assert done.exit_code == 0, done.output
    assert f"east: reads and changes as somebody of {OURS} of account {OURS}\n" in done.output
    assert f"of account {PRODUCTION}, and cloudfail.yaml says {OURS}" in done.output
