"""Real outages, replayed: each file ends safely, and a change to it shows that it could have ended otherwise."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("greenlet")

from cloudfail.errors import ConfigError
from cloudfail.model.journal import Kind
from cloudfail.testing.simulation.incidents import Ending, load_incident, play_incident

HERE = Path(__file__).resolve().parent
FILES = sorted(HERE.glob("*.yaml"))
Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def altered(tmp_path: Path) -> Callable[[str, Change], Ending]:
    """Plays a file after a change to it."""

    def play(name: str, change: Change) -> Ending:
        return play_incident(load_incident(written(tmp_path, name, change)))

    return play


def written(tmp_path: Path, name: str, change: Change) -> Path:
    document = yaml.safe_load((HERE / f"{name}.yaml").read_text())
    change(document)
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def keys(ending: Ending) -> set[str]:
    """What is not as the file says, by key; a broken invariant by its name."""
    return {finding.split(":")[0] for finding in ending.findings}


def invariants_broken(ending: Ending) -> list[str]:
    return [finding for finding in ending.findings if not finding.startswith(("ends.", "afterwards."))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_incident_ends_as_its_file_says_and_breaks_no_invariant(path: Path) -> None:
    ending = play_incident(load_incident(path))
    assert ending.findings == (), "\n".join(ending.story)
    assert ending.passed


def test_every_incident_names_its_source_and_has_a_section_in_the_documentation() -> None:
    documented = (HERE.parents[1] / "docs" / "incidents.md").read_text()
    for path in FILES:
        incident = load_incident(path)
        assert incident.source.startswith("https://")
        assert incident.source in documented
        assert f"tests/scenarios/{path.name}" in documented


def test_the_same_file_is_played_the_same_way_twice() -> None:
    incident = load_incident(HERE / "slack-2021-06-30.yaml")
    assert play_incident(incident).story == play_incident(incident).story


# ---- GitHub 2018: a short cut


@pytest.mark.parametrize("hold_down", ["0s", "10s"])
def test_without_a_hold_down_the_cut_of_43_seconds_fences_a_healthy_site(altered: Any, hold_down: str) -> None:
    """It is not promoted even so: the fence could be proven since the site answers again, and then a person decides."""

    def change(document: dict[str, Any]) -> None:
        document["topology"]["policy"].update(hold_down=hold_down, scope="site")

    ending = altered("github-2018-10-21", change)
    assert {"ends.runs", "ends.fences"} <= keys(ending)
    assert "ends.promotions" not in keys(ending)
    assert not invariants_broken(ending)


def test_such_a_hold_down_is_refused_between_regions(tmp_path: Path) -> None:
    path = written(tmp_path, "github-2018-10-21", lambda d: d["topology"]["policy"].update(hold_down="10s"))
    with pytest.raises(ConfigError, match="on a blip"):
        load_incident(path)


def test_a_cut_that_outlasts_the_hold_down_is_acted_on(altered: Any) -> None:
    ending = altered("github-2018-10-21", lambda d: d["happenings"][0].update({"for": "10m"}))
    assert "ends.runs" in keys(ending)
    assert not invariants_broken(ending)


# ---- AWS 2021: names that cannot be changed


def test_a_name_that_needs_the_control_plane_halts_the_run_and_is_moved_when_it_is_back(altered: Any) -> None:
    def change(document: dict[str, Any]) -> None:
        del document["topology"]["resources"]["www"]["switch"]
        # An hour of it shows what seven would.
        document["lasts"] = "80m"
        document["happenings"][1]["for"] = "1h"
        document["happenings"][2]["at"] = "75m"
        document["ends"] = {
            "phase": "halted",
            "waits_for_person": True,
            "halted_because": ["traffic", "www does not answer"],
            "to_do": ["cloudfail resume"],
            "moves_at_most": 0,
            "never_empty": True,
            "lost": 0,
            "traffic": {"www": "us-east-1"},
        }
        document["afterwards"] = {"phase": "done", "traffic": {"www": "us-west-2"}, "lost": 0}

    assert altered("aws-2021-12-07", change).findings == ()


# ---- AWS 2025: a late request


def test_a_late_freeze_is_not_repaired_once_nobody_watches_any_more(altered: Any) -> None:
    """The bound of the repair: `watch_after`, and a worker that still runs."""

    def change(document: dict[str, Any]) -> None:
        document["topology"]["policy"]["watch_after"] = "1m"
        for at, worker in (("9m", "first-worker"), ("10m", "second-worker")):
            document["happenings"].append({"at": at, "what": "worker killed", "worker": worker})

    ending = altered("aws-2025-10-19", change)
    assert "ends.frozen" in keys(ending)
    assert "ends.late_refused" not in keys(ending)


def test_a_request_that_is_not_delayed_leaves_nothing_late(altered: Any) -> None:
    ending = altered("aws-2025-10-19", lambda d: d["happenings"].__delitem__(slice(1, None)))
    assert keys(ending) == {"ends.late_landed", "ends.late_refused"}


# ---- Stripe 2019: a loss that nobody knows


def test_a_person_who_states_a_number_and_takes_the_owed_fence_may_promote(altered: Any) -> None:
    def change(document: dict[str, Any]) -> None:
        document["person"] = {"answers": "approve", "accepts_owed_fence": True, "accepts_loss": "5h"}

    ending = altered("stripe-2019-07-10", change)
    assert {"ends.promotions", "ends.lost", "ends.primary"} <= keys(ending)
    assert not invariants_broken(ending)


def test_an_approval_without_a_number_promotes_nothing(altered: Any) -> None:
    def change(document: dict[str, Any]) -> None:
        document["happenings"].append({"at": "250m", "what": "person", "says": "approve"})

    assert altered("stripe-2019-07-10", change).findings == ()


def test_who_accepts_no_loss_at_all_has_not_accepted_one_that_nobody_knows(altered: Any) -> None:
    def change(document: dict[str, Any]) -> None:
        says = {"at": "250m", "what": "person", "says": "approve", "accepts_loss": "0s"}
        document["happenings"].append(says)

    assert altered("stripe-2019-07-10", change).findings == ()


def test_a_stalled_replica_that_reports_is_held_back_by_its_number(altered: Any) -> None:
    def change(document: dict[str, Any]) -> None:
        del document["happenings"][0]
        document["ends"].update(halted_because=["it would lose"], to_do=["--loss-seconds 1"])

    assert altered("stripe-2019-07-10", change).findings == ()


def test_while_the_primary_stays_away_the_gate_waits_for_a_person_too(altered: Any) -> None:
    def change(document: dict[str, Any]) -> None:
        del document["happenings"][3]
        del document["happenings"][3]
        document["ends"].update(halted_because=["It waits at a gate"], to_do=["--accept-owed-fence"], phase="gated")

    ending = altered("stripe-2019-07-10", change)
    assert not {"ends.promotions", "ends.phase", "ends.waits_for_person", "ends.lost"} & keys(ending)
    assert not invariants_broken(ending)


# ---- Google 2025: no API answers


def test_refused_changes_are_tried_a_few_times_with_growing_unequal_pauses(altered: Any) -> None:
    ending = altered("google-2025-06-12", lambda d: d["happenings"][0].update(reads="answered"))
    assert ending.findings == ()
    tries: dict[str, list[float]] = {}
    for at, entry in ending.history.entries:
        if entry.kind is Kind.INTENT and at < 1700:  # before anybody resumed it
            tries.setdefault(entry.data["step"], []).append(at)
    assert set(tries) == {"freeze", "freeze_old"}
    pauses = {step: [b - a for a, b in pairwise(times)] for step, times in tries.items()}
    for step, times in tries.items():
        assert len(times) == 1 + ending.history.setup.plan.step(step).retries
        assert pauses[step] == sorted(pauses[step])
    assert all(abs(a - b) > 0.01 for a, b in zip(pauses["freeze"], pauses["freeze_old"], strict=True))


def test_a_run_that_is_under_way_when_the_apis_return_goes_on_without_a_burst(altered: Any) -> None:
    def change(document: dict[str, Any]) -> None:
        document["happenings"].append({"at": "10190s", "what": "person", "says": "resume"})
        document["ends"] = {
            "phase": "done",
            "nothing_changes": {"from": "10m", "to": "170m"},
            "requests_in_a_second_at_most": 15,
            "lost": 0,
        }
        del document["afterwards"]

    assert altered("google-2025-06-12", change).findings == ()


def test_when_no_region_is_seen_healthy_nothing_is_opened_at_all(altered: Any) -> None:
    def change(document: dict[str, Any]) -> None:
        document["happenings"] = [
            {"at": "10m", "what": "apis refuse", "for": "160m"},
            {"at": "12m", "what": "region unwell", "region": "us-central1", "for": "158m"},
            {"at": "12m", "what": "region unwell", "region": "europe-west4", "for": "158m"},
        ]
        document["ends"] = {"runs": 0, "warned": ["No region is seen healthy"], "decisions_only": ["stay", "warn"]}
        del document["afterwards"]

    assert altered("google-2025-06-12", change).findings == ()


# ---- Slack 2021: neither up nor down


def gray(share: float, *vantages: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        for happening in document["happenings"]:
            happening.update(share=share, vantages=list(vantages))

    return change


@pytest.mark.parametrize("share", [0.05, 0.6])
def test_a_zone_of_which_up_to_three_fifths_fails_is_left_to_a_person(altered: Any, share: float) -> None:
    ending = altered("slack-2021-06-30", gray(share))
    assert keys(ending) <= {"ends.warned"}  # the little that 5 % is, nobody is even warned of


@pytest.mark.parametrize(("share", "vantages"), [(1.0, ("first", "second")), (0.9, ())])
def test_a_zone_that_enough_vantages_see_down_past_the_hold_down_is_left_once_and_not_gone_back_to(
    altered: Any, share: float, vantages: tuple[str, ...]
) -> None:
    def change(document: dict[str, Any]) -> None:
        gray(share, *vantages)(document)
        document["ends"] = {
            "runs": 1,
            "phase": "done",
            "promotions": 1,
            "moves_at_most": 1,
            "primary": "zone-b",
            "traffic": {"edge": "zone-b"},
            "lost": 0,
        }

    assert altered("slack-2021-06-30", change).findings == ()


def test_one_vantage_alone_moves_nothing_however_sure_it_is(altered: Any) -> None:
    ending = altered("slack-2021-06-30", gray(1.0, "neighbour"))
    assert keys(ending) <= {"ends.warned"}


# ---- mistakes in a file


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: d["ends"].update(promotion=0), "promotion"),
        (lambda d: d.update(hapenings=[]), "hapenings"),
        (lambda d: d["happenings"][0].update(what="earthquake"), "earthquake"),
        (lambda d: d["happenings"][0].update(speed=3), "speed"),
        (lambda d: d["happenings"][0].update(region="us-nowhere"), "us-nowhere"),
        (lambda d: d["happenings"][0].update({"for": 43}), "a time carries its unit"),
        (lambda d: d["ends"].update(primary="us-nowhere"), "us-nowhere"),
        (lambda d: d["topology"].update(regoins={}), "regoins"),
        (lambda d: d["runbook"]["steps"]["fence"].update(acton="x"), "acton"),
        (lambda d: d.pop("ends"), "ends"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path: Path, change: Change, named: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_incident(written(tmp_path, "github-2018-10-21", change))
    assert named in str(raised.value)
    assert "github-2018-10-21.yaml" in str(raised.value)


def test_all_mistakes_of_a_file_come_at_once(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["ends"]["promotion"] = 0
        document["worlds"] = {}

    with pytest.raises(ConfigError) as raised:
        load_incident(written(tmp_path, "github-2018-10-21", change))
    assert len(raised.value.mistakes) == 2
