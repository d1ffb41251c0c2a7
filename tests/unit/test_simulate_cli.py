"""`cloudfail simulate`, as a person types it: answers, replays, mistakes; one's own files without their providers."""

from __future__ import annotations

import json
import re
import shlex
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloudfail import registry
from cloudfail.entrypoints.cli import app, simulate
from cloudfail.errors import CloudfailError
from cloudfail.model.topology import PortName
from cloudfail.report import simulation as report
from cloudfail.shipped import runbook_file
from cloudfail.testing.simulation import faults, trial
from cloudfail.testing.simulation.advice import advice_on
from cloudfail.testing.simulation.checkers import Violation
from cloudfail.testing.simulation.felt import ORDER
from cloudfail.testing.simulation.own import Own, own
from cloudfail.testing.simulation.results import Felt, Trial
from cloudfail.testing.simulation.scenario import DRAWN_OTHERWISE, HAPPENINGS, draw
from cloudfail.testing.simulation.setups import shipped_setups
from cloudfail.testing.simulation.swarm import judged
from cloudfail.testing.simulation.trial import Asked, Played, played, scenario_of, tell

SHOP = """\
application: pay
objectives: {rto: 15m, rpo: 30s}
regions:
  us-east-1: {provider: nimbus}
  us-west-2: {provider: nimbus}
primary: us-east-1
state: sqlite:state.db
resources:
  orders:  {database: aurora-global, id: orders-global, cluster: {a: 1}, members: {us-east-1: {arn: x}, us-west-2: y}}
  web:     {compute: autoscaling, members: {us-east-1: web-e, us-west-2: web-w}}
  www:     {dns: route53, zone: Z1EXAMPLE, name: www.pay.example, ttl: 30s}
  deploys: {change: codepipeline, members: {us-east-1: a, us-west-2: b}}
checks:
  checkout: {http: "https://${region}.pay.example/healthz", every: 10s}
vantages: {a: {}, b: {}, c: {region: us-west-2}}
policy: {automation: "off"}
"""


@pytest.fixture(autouse=True)
def _nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory without a cloudfail.yaml, and no network at all."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLOUDFAIL_CONFIG", raising=False)

    def refused(*_args: Any, **_kwargs: Any) -> None:
        raise AssertionError("the simulation touched the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


def typed(line: str) -> Any:
    return CliRunner().invoke(app, shlex.split(line)[1:])


def refused(line: str) -> str:
    """The sentences that the entry point would print for this mistake."""
    done = typed(line)
    assert isinstance(done.exception, CloudfailError), done.output
    said = str(done.exception)
    assert "Traceback" not in said
    return said


def write(text: str = SHOP, runbook: str = "evacuate") -> None:
    Path("cloudfail.yaml").write_text(text, encoding="utf-8")
    Path("runbooks").mkdir(exist_ok=True)
    body = runbook_file(runbook).read_text(encoding="utf-8")
    Path("runbooks", f"{runbook}.yaml").write_text(body, encoding="utf-8")


# ---- the answer


def test_without_files_it_plays_the_example_and_says_so() -> None:
    done = typed("cloudfail simulate --seeds 4 --processes 1")
    assert done.exit_code in {0, 3, 4}, done.output
    assert done.output.startswith("There is no cloudfail.yaml here: this is the example that ships")
    assert "Will evacuate meet its objectives?" in done.output
    assert "Outage as clients felt it" in done.output
    assert "The worst of them, seed" in done.output
    assert "Again, exactly: cloudfail simulate --seeds 4" in done.output
    assert "Violations of an invariant: 0" in done.output


def test_the_same_seeds_give_the_same_json_whatever_the_processes() -> None:
    first, second = (
        json.loads(typed(f"cloudfail simulate --seeds 6 --first 40 --json --processes {processes}").output)
        for processes in (1, 2)
    )
    for document in (first, second):
        assert document["seeds"] == 6
        assert document["violations"] == []
        assert {"p50", "p90", "p99", "max", "objective"} == set(document["outage_seconds"])
        for name in report.TIMING:
            del document[name]
    assert first == second


def test_the_report_is_left_where_it_was_asked_for() -> None:
    done = typed("cloudfail simulate --seeds 3 --processes 1 --out kept")
    assert "Report: kept/report.html and kept/report.json" in done.output
    assert json.loads(Path("kept/report.json").read_text(encoding="utf-8"))["seeds"] == 3
    assert Path("kept/report.html").read_text(encoding="utf-8").count("<svg ") == 2


def test_without_a_number_of_seeds_it_ends_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "BUDGET_SECONDS", 0.0)
    monkeypatch.setattr(simulate, "LEAST_SECONDS", 0.0)
    document = json.loads(typed("cloudfail simulate --json --processes 1").output)
    assert document["seeds"] == trial.CHUNK_SEEDS
    assert document["replay"] == f"cloudfail simulate --seeds {trial.CHUNK_SEEDS}"


def test_missing_the_objectives_too_often_is_exit_code_three() -> None:
    write(SHOP.replace("rto: 15m", "rto: 10s"))
    done = typed("cloudfail simulate --seeds 4 --processes 1 --faults none --on-call 1m")
    assert done.exit_code == 3, done.output
    assert "meet its objectives? NO" in done.output
    assert "Let fewer seconds pass at the gate" in done.output.split("What to change")[1]
    assert typed("cloudfail simulate --seeds 4 --processes 1 --faults none --missed-max 100").exit_code == 0


# ---- one seed


def test_a_seed_is_replayed_and_told() -> None:
    done = typed("cloudfail simulate --seed 4")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("Seed 4: it ")
    assert "What it holds, by the number that --keep takes:" in done.output
    assert re.search(r"^ +0  us-east-1 is ", done.output, re.MULTILINE)
    assert "The outage by what was waited for:" in done.output


def test_a_seed_with_fewer_happenings_says_the_command_for_just_these() -> None:
    document = json.loads(typed("cloudfail simulate --seed 4 --keep 0 --json").output)
    assert [one["number"] for one in document["happenings"]] == [0]
    assert document["replay"] == "cloudfail simulate --seed 4 --keep 0"
    assert json.loads(typed(document["replay"] + " --json").output) == document
    assert json.loads(typed("cloudfail simulate --seed 4 --keep none --json").output)["happenings"] == []


def test_the_replay_plays_what_the_trial_played() -> None:
    write()
    document = json.loads(typed("cloudfail simulate --seeds 5 --json --on-call 30s --faults crashes,lag").output)
    worst = document["worst"]
    assert "--config cloudfail.yaml --faults crashes,lag --on-call 30s" in worst["replay"]
    again = json.loads(typed(worst["replay"] + " --json").output)
    assert {**again, "misses": worst["misses"]} == {**worst, "violations": []}


def test_a_violation_is_cut_down_and_the_command_replays_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkers find nothing in a good simulator: here one sees a violation in every store that is away."""

    def crooked(history: Any) -> list[Violation]:
        return [Violation("I2", "the store was away")] if "store out" in history.fired else []

    monkeypatch.setattr("cloudfail.testing.simulation.swarm.judge", crooked)
    monkeypatch.setattr(trial, "judge", crooked)
    one = own(None, [])
    seed = next(
        seed
        for seed in range(300)
        if any(happening.kind == "store out" for happening in scenario_of(seed, one).happenings)
        and crooked(played(seed, one, Asked()).history)
    )
    done = typed(f"cloudfail simulate --first {seed} --seeds 1 --processes 1 --json")
    assert done.exit_code == 1
    (found,) = json.loads(done.output)["violations"]
    assert (found["seed"], found["invariant"], found["what"]) == (seed, "I2", "the store was away")
    assert ["the store answers nobody" in one["what"] for one in found["smallest"]["happenings"]].count(True) == 1
    assert f"--seed {seed} --keep " in found["replay"]
    again = typed(found["replay"])
    assert again.exit_code == 1
    assert "VIOLATION of I2: the store was away" in again.output
    assert "VIOLATION of I2 in seed" in typed(f"cloudfail simulate --first {seed} --seeds 1 --processes 1").output


def test_a_worker_that_died_is_in_the_story_with_its_moment() -> None:
    one = own(None, [])
    for seed in range(200):
        scenario = scenario_of(seed, one)
        if any(happening.kind == "crash" for happening in scenario.happenings):
            this = played(seed, one, Asked())
            if this.struck:
                assert any("dies at its boundary" in line.text for line in told_lines(this))
                return
    pytest.fail("no seed of these crashes a worker")


def told_lines(this: Played) -> tuple[Any, ...]:
    return trial.told(this, Asked(), None).lines


def test_a_seed_of_the_sweep_is_replayed_as_the_sweep_plays_it() -> None:
    document = json.loads(typed("cloudfail simulate --sweep --seed 7 --json").output)
    setups = shipped_setups()
    scenario = draw(7, setups)
    history, _ = judged(scenario, next(setup for setup in setups if setup.name == scenario.setup))
    assert len(document["happenings"]) == len(scenario.happenings)
    assert document["end"] == str(history.runs()[-1].phase if history.runs() else "no run")
    assert document["replay"] == "cloudfail simulate --sweep --seed 7"
    assert "Name the seed: cloudfail simulate --sweep --seed N" in refused("cloudfail simulate --sweep")


# ---- one's own files


def test_a_provider_that_is_not_installed_is_assumed_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "known", dict)
    monkeypatch.setattr(registry, "chosen", lambda _name: None)
    write(SHOP.replace("provider: nimbus", "provider: azure"))
    done = typed("cloudfail simulate --seeds 3 --processes 1")
    assert done.exit_code in {0, 3, 4}, done.output
    said = " ".join(done.output.split())
    assert (
        "The provider azure is not installed: the times of aurora-global, autoscaling, codepipeline, route53 are "
        in said
    )
    assert "pip install 'cloudfail[azure]'" in said
    assert "There is no cloudfail.yaml" not in said


def test_an_installed_providers_declared_times_are_used_and_nothing_of_it_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = registry.provider("local")
    built: list[str] = []

    def build(resource: Any, _topology: Any) -> Any:
        built.append(resource.name)

    kinds = {key: replace(kind, build=build) for key, kind in provider.kinds().items()}
    monkeypatch.setattr(provider, "kinds", lambda: kinds, raising=False)
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    body = re.search(r"^```yaml\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    assert body is not None
    write(body[1], "evacuate-local")
    one = own(Path("cloudfail.yaml"), [Path("runbooks/evacuate-local.yaml")])
    facts = kinds[PortName.DATABASE, "postgresql"].verbs["failover"]
    assert one.pace.promote == (facts.typical_seconds, facts.longest_seconds)
    assert one.assumed == ()
    assert typed("cloudfail simulate --seeds 2 --processes 1").exit_code in {0, 3, 4}
    assert built == []


def test_the_files_decide_who_starts_the_run_and_how_long_resolvers_keep_an_answer() -> None:
    write()
    typed_by_a_person = own(Path("cloudfail.yaml"), [Path("runbooks/evacuate.yaml")])
    write(SHOP.replace('"off"', "stage-1, hold_down: 3m"))
    watched = own(Path("cloudfail.yaml"), [Path("runbooks/evacuate.yaml")])
    for seed in range(40):
        command, watch = (scenario_of(seed, one) for one in (typed_by_a_person, watched))
        assert (command.way, watch.way) == ("command", "watch")
        assert command.ttl_seconds == watch.ttl_seconds == 30.0
        assert watch.workers[0].kind == "resident"
        lost = [happening.at for happening in watch.happenings if happening.kind == "region lost"]
        assert not lost or watch.calm_at > lost[0] + 180 + 150


def test_a_path_and_an_address_of_a_provider_that_is_not_here_move_before_the_users() -> None:
    networks = """\
  backbone: {network: dynamic-route, members: {us-east-1: east-hop, us-west-2: west-hop}}
  vip:      {network: elastic-ip, members: {us-east-1: east-holder, us-west-2: west-holder}}
checks:
"""
    write(SHOP.replace("checks:\n", networks))
    runbook = Path("runbooks/evacuate.yaml")
    steps = """\
  path:       {action: network.route,        with: {network: backbone}, needs: [write, scale], limit: 2m}
  address:    {action: network.move_address, with: {network: vip},      needs: [write, scale], limit: 2m}
  traffic:"""
    text = runbook.read_text(encoding="utf-8")
    assert "  traffic:" in text
    runbook.write_text(
        text.replace("  traffic:", steps, 1).replace("needs: [traffic]", "needs: [traffic, path, address]")
    )
    one = own(Path("cloudfail.yaml"), [runbook])
    lost = (seed for seed in range(40) if any(h.kind == "region lost" for h in scenario_of(seed, one).happenings))
    told = tell(next(lost), one, Asked(faults=frozenset()))
    said = [line.text for line in told.lines]
    assert any("path done: backbone leads to us-west-2" in text for text in said), said
    assert any("give vip to us-west-2 (now nowhere)" in text for text in said)
    assert any("address done: vip leads to us-west-2" in text for text in said)


def test_a_seed_is_as_long_as_a_hold_down_of_minutes_needs() -> None:
    write(SHOP.replace('"off"', "stage-1, hold_down: 3m"))
    one = own(Path("cloudfail.yaml"), [Path("runbooks/evacuate.yaml")])
    seeds = (seed for seed in range(20) if any(h.kind == "region lost" for h in scenario_of(seed, one).happenings))
    story = tell(next(seeds), one, Asked(faults=frozenset()))
    assert any("opens run" in line.text and line.at > 180 for line in story.lines)


def test_another_region_may_be_lost_than_the_primary() -> None:
    write()
    document = json.loads(typed("cloudfail simulate --seeds 2 --from us-west-2 --json --processes 1").output)
    assert (document["source"], document["target"]) == ("us-west-2", "us-east-1")


# ---- faults


def test_every_fault_has_a_group_a_sentence_and_a_row() -> None:
    names = [*HAPPENINGS, *DRAWN_OTHERWISE]
    assert [name for name in names if not faults.SENTENCES.get(name)] == []
    assert [name for name in names if not faults.group_of(name)] == []
    assert sorted(row[1] for row in faults.rows()) == sorted(names)


def test_the_list_of_faults_names_each_of_them() -> None:
    shown = typed("cloudfail simulate --faults list")
    assert shown.exit_code == 0
    for name in (*HAPPENINGS, *DRAWN_OTHERWISE):
        assert re.search(rf"  {re.escape(name)} ", shown.output), name


def test_only_the_faults_that_were_chosen_are_drawn() -> None:
    one = own(None, [])
    chosen = faults.chosen("partitions, crash")
    assert chosen is not None
    seen = {happening.kind for seed in range(80) for happening in scenario_of(seed, one, chosen).happenings}
    assert "crash" in seen
    assert seen <= chosen | {"region lost", "region returns"}
    assert {h.kind for seed in range(40) for h in scenario_of(seed, one, frozenset()).happenings} <= {
        "region lost",
        "region returns",
    }


# ---- advice


def test_where_all_met_the_objectives_and_nobody_was_needed_nothing_is_advised() -> None:
    found, one = tried([plain(seed) for seed in range(50)])
    assert advice_on(found, one) == ()


@pytest.mark.parametrize(
    ("felts", "change", "figure"),
    [
        (
            {"outage_seconds": 1000.0, "parts": {"clients": 700.0, "promote": 300.0}},
            "shorter ttl than 1m",
            "70% of the",
        ),
        ({"outage_seconds": 1000.0, "parts": {"gate": 900.0, "promote": 100.0}}, "sign a plan", "90% of the outage"),
        ({"outage_seconds": 1000.0, "parts": {"detect": 900.0}}, "Probe more often: checkout", "90%"),
        ({"outage_seconds": 1000.0, "parts": {"hold-down": 900.0}}, "shorter hold_down than 10s", "90%"),
        ({"outage_seconds": 1000.0, "parts": {"nobody": 900.0}}, "run on a second machine", "over took 90%"),
        (
            {"outage_seconds": 1000.0, "parts": {"promote": 900.0}, "steps": {"promote": 230.0}},
            "Make the step promote shorter",
            "the phase promote took 90%",
        ),
        ({"lost_seconds": 60.0, "synchronous": False}, "Replicate synchronously", "10 of 10 seeds"),
        (
            {"lost_seconds": 60.0, "owed_fence": True, "old_side_seconds": 50.0},
            "a fence that needs nothing of the lost region",
            "10 of 10 seeds that lost more than the RPO of 30s, a person accepted an owed fence",
        ),
        (
            {
                "asked": True,
                "failed": (("traffic", "Not within its limit of 120 s: the TTL"),),
                "waits": {"halted": 9.0},
            },
            "Give the step traffic a longer limit than 2m",
            "Its limit stopped it in 10 of 50 runs",
        ),
        ({"asked": True, "waits": {"halted": 9.0}}, "somebody being awake", "10 of 50 runs (20%)"),
        (
            {"asked": True, "failed": (("write", "After 4 attempts: refused"),)},
            "Look at the step write",
            "most often: After 4 attempts: refused",
        ),
    ],
)
def test_advice_follows_from_the_figures_and_says_them(felts: dict[str, Any], change: str, figure: str) -> None:
    found, one = tried([plain(seed, **(felts if seed < 10 else {})) for seed in range(50)])
    said = advice_on(found, one)
    assert [advice for advice in said if change in advice.change and figure in advice.figure], said


def test_capacity_that_waits_for_the_gate_is_said_to_start_earlier() -> None:
    one = own(None, [])
    steps = tuple(
        replace(step, needs=("approve",)) if step.action == "compute.scale" else step for step in one.plan.steps
    )
    late = replace(one, setup=replace(one.setup, plan=replace(one.plan, steps=steps)))
    found, _ = tried([plain(seed, outage_seconds=1000.0, steps={"scale": 80.0}) for seed in range(3)])
    said = advice_on(found, late)
    assert [advice for advice in said if "Let the step scale need less: it waits for approve" in advice.change], said


def plain(seed: int, **more: Any) -> Felt:
    felt = Felt(
        seed=seed,
        end="done",
        moved=True,
        source_lost=True,
        asked=False,
        outage_seconds=100.0,
        lost_seconds=0.0,
        lost=0,
        synchronous=True,
    )
    return replace(felt, **more)


def tried(felts: list[Felt]) -> tuple[Trial, Own]:
    one = own(None, [])
    plan = one.plan
    return (
        Trial(
            application="shop",
            runbook=plan.runbook,
            mode=str(plan.mode),
            source=plan.source,
            target=plan.target,
            objectives=one.topology.objectives,
            first=0,
            felts=tuple(felts),
        ),
        one,
    )


def test_the_parts_of_an_outage_add_up_to_it() -> None:
    one = own(None, [])
    for seed in range(12):
        felt = tell(seed, one, Asked()).felt
        if felt.parts:
            assert sum(felt.parts.values()) == pytest.approx(felt.outage_seconds, abs=0.05)
            assert set(felt.parts) <= {*ORDER, "start", "hold-down", "clients"}


# ---- mistakes


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--seeds 0", "Write a number from 1 to 1,000,000."),
        ("--first -1", "Write a number from 0 on."),
        ("--seed -3", "Write a number from 0 on."),
        ("--processes 0", "Write a number from 1 to 256."),
        ("--missed-max 101", "Write a percentage from 0 to 100."),
        ("--keep 1", "Name the seed too"),
        ("--seed 4 --keep one", "Write numbers with commas between them"),
        ("--seed 4 --keep 99", "Seed 4 has no happening 99."),
        ("--replication sync", "Write one of: both, synchronous, asynchronous."),
        ("--replication synchronus", "Did you mean synchronous?"),
        ("--on-call soon", "is no time"),
        ("--on-call 2h", "Write a time from 1s to 1h."),
        ("--faults crahses", "Did you mean crashes?"),
        ("--faults ,", "--faults names no fault."),
        ("--runbook evacute", "Did you mean evacuate?"),
        ("--from mars", "Its regions are us-east-1, europe-west4, northeurope."),
        ("--to us-east-1", "Name another region with --to."),
        ("--config nowhere.yaml", "the file cannot be read"),
    ],
)
def test_a_mistake_is_told_in_sentences_and_nothing_is_played(options: str, said: str) -> None:
    told = refused(f"cloudfail simulate {options}")
    assert said in told
    assert "Nothing was played." in told or "nothing was changed." in told


@pytest.mark.parametrize(
    ("without", "said"),
    [
        ("www", "neither a name nor a balancer"),
        ("orders", "has no database whose writer moves"),
        ("us-west-2", "has one region"),
    ],
)
def test_a_topology_with_nothing_to_measure_is_refused(without: str, said: str) -> None:
    text = "\n".join(line for line in SHOP.splitlines() if not line.strip().startswith(f"{without}:"))
    if without == "us-west-2":
        text = re.sub(r", us-west-2: [^,}]+", "", text).replace(", c: {region: us-west-2}", "")
    write(text)
    if without in {"www", "orders"}:
        book = Path("runbooks/evacuate.yaml").read_text(encoding="utf-8")
        kept = [line for line in book.splitlines() if without not in line]
        Path("runbooks/evacuate.yaml").write_text(
            re.sub(r", +needs: \[[^\]]*\]", "", "\n".join(kept)) + "\n", encoding="utf-8"
        )
    assert said in refused("cloudfail simulate --seeds 1")


def test_a_restore_has_no_recovery_time() -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    body = re.search(r"^```yaml\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    assert body is not None
    write(body[1], "restore-local")
    said = refused("cloudfail simulate --runbook restore-local")
    assert "restore-local is a restore: it moves no traffic" in said
    assert "Name a runbook of mode failover or switchover" in said


def test_a_slip_of_the_pen_in_a_providers_name_is_not_assumed() -> None:
    write(SHOP.replace("provider: nimbus", "provider: loca"))
    assert "Did you mean local?" in refused("cloudfail simulate").replace("did", "Did")


def test_a_runbook_that_lint_refuses_is_not_simulated() -> None:
    write()
    book = Path("runbooks/evacuate.yaml")
    text = book.read_text(encoding="utf-8").replace("needs: [fence],   expires", "needs: [freeze],  expires")
    book.write_text(text, encoding="utf-8")
    assert "runbooks/evacuate.yaml:" in refused("cloudfail simulate")


def test_without_greenlet_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "greenlet", None)
    assert refused("cloudfail simulate") == (
        "The simulator needs greenlet, which is not installed. Nothing was played. "
        "Install it: pip install 'cloudfail[simulate]'"
    )


# ---- incidents

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"


def test_an_incident_is_played_from_its_file_and_told() -> None:
    done = typed(f"cloudfail simulate --scenario {SCENARIOS / 'github-2018-10-21.yaml'}")
    assert done.exit_code == 0, done.output
    assert "It happens: " in done.output
    assert "It ended as its file says, and every invariant held." in done.output


def test_an_incident_that_ends_otherwise_is_exit_code_one(tmp_path: Path) -> None:
    text = (SCENARIOS / "github-2018-10-21.yaml").read_text(encoding="utf-8")
    wrong = re.sub(r"^(ends:\n +runs:) \d+", r"\1 7", text, flags=re.MULTILINE)
    if wrong == text:
        wrong = re.sub(r"\bruns: \d+", "runs: 7", text, count=1)
    assert wrong != text
    (tmp_path / "wrong.yaml").write_text(wrong, encoding="utf-8")
    done = typed("cloudfail simulate --scenario wrong.yaml --json")
    assert done.exit_code == 1, done.output
    document = json.loads(done.output)
    assert not document["passed"]
    assert "runs: 7 expected" in document["findings"][0]


def test_an_incident_file_with_mistakes_says_where(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("title: nothing more\n", encoding="utf-8")
    assert "wrong.yaml:1:1" in refused("cloudfail simulate --scenario wrong.yaml")
