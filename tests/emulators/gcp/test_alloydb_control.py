"""database: alloydb by its control plane alone: what is asked of it, what is refused, and what is said before the bad
day. Nobody says how the servers are reached, so that no write is ever claimed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import Role
from cloudfail.ports import Call
from cloudfail.testing.conformance import Calls, known
from cloudfail_gcp.database.alloydb import AlloyDb
from cloudfail_gcp.database.alloydb_clusters import same
from cloudfail_gcp.database.marks import LABEL
from tests.emulators.gcp import alloydb_world
from tests.emulators.gcp.alloydb_world import CENTRAL, KIND, NAMES, PATHS, WEST
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.ordered import alloydb_promoted
from tests.emulators.gcp.standins import alloydb as standin
from tests.emulators.verbs import lose_an_answer

PROMOTE = "projects.locations.clusters.promote"
SWITCHOVER = "projects.locations.clusters.switchover"
PATCH = "projects.locations.clusters.patch"


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> Iterator[standin.AlloyDb]:
    made: standin.AlloyDb = serving("alloydb.v1", alloydb_world.machine())
    yield made
    made.close()


@pytest.fixture
def bare(machine: standin.AlloyDb) -> AlloyDb:
    """Its control plane alone, members written as names."""
    return alloydb_world.port(api_within="4s")


def call(epoch: int, seconds: float) -> Call:
    return Call("r1", "step", epoch, "r1/step", seconds, lambda: None)


def promotions(google: Front) -> list[dict[str, Any]]:
    """Bodies of the orders, those left out that only asked whether they would be taken."""
    return [one.body for one in google.seen(operation=PROMOTE) if not one.body.get("validateOnly")]


# ---- the control plane alone


def test_without_a_login_the_role_is_the_apis_word_and_no_write_is_claimed(
    bare: AlloyDb, machine: standin.AlloyDb, google: Front
) -> None:
    central, west = known(bare.read(CENTRAL)), known(bare.read(WEST))
    assert (central.role, central.writable, west.role, west.writable) == (Role.PRIMARY, False, Role.REPLICA, False)
    assert west.upstream == CENTRAL
    bare.failover(CENTRAL, WEST, expect=west, call=Calls().make())
    machine.end()
    after = known(bare.read(WEST))
    assert (after.role, after.writable) == (Role.PRIMARY, False)
    assert "no `dsn`" in after.moving, "promoted, says the API; the step is not done"
    bare.failover(CENTRAL, WEST, expect=after, call=Calls().make())
    assert len(promotions(google)) == 1


def test_a_promotion_is_asked_of_the_targets_region_alone_while_the_source_is_lost(
    bare: AlloyDb, machine: standin.AlloyDb, google: Front
) -> None:
    gone = google.outages.silence(region=CENTRAL)
    bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=Calls().make())
    assert gone.hits == 0
    machine.end()
    assert machine.clusters[PATHS[WEST]]["clusterType"] == "PRIMARY"
    assert machine.clusters[PATHS[CENTRAL]]["clusterType"] == "PRIMARY", "nothing demotes the old one"


def test_whether_it_would_be_taken_is_asked_before_the_mark_and_a_refusal_leaves_none(
    bare: AlloyDb, machine: standin.AlloyDb, google: Front
) -> None:
    google.outages.fail("forbidden", 403, "The caller does not have permission", operation=PROMOTE)
    with pytest.raises(Permanent, match="does not have permission"):
        bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=Calls().make())
    assert google.count(operation=PATCH) == 0
    assert "labels" not in machine.clusters[PATHS[WEST]]
    assert machine.orders == []


def test_where_the_mark_may_not_be_written_nothing_is_ordered_and_the_way_by_hand_is_said(
    bare: AlloyDb, machine: standin.AlloyDb, google: Front
) -> None:
    google.outages.fail("forbidden", 403, "Permission 'alloydb.clusters.update' denied", operation=PATCH)
    with pytest.raises(Permanent) as raised:
        bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=Calls().make())
    assert "alloydb.clusters.update" in raised.value.happened
    assert "gcloud alloydb clusters promote orders-w --region=europe-west1" in str(raised.value)
    assert promotions(google) == []


def test_the_order_carries_the_etag_that_was_read_with_the_mark(
    bare: AlloyDb, machine: standin.AlloyDb, google: Front
) -> None:
    machine.clusters[PATHS[WEST]]["labels"] = {"team": "shop"}
    bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=Calls().make())
    (asked,) = promotions(google)
    assert machine.clusters[PATHS[WEST]]["labels"] == {"team": "shop", LABEL: "10_r1"}
    assert set(asked) == {"etag", "requestId"}
    machine.end()
    assert machine.orders == [("update", PATHS[WEST]), ("promote", PATHS[WEST])]


def test_a_newer_run_between_the_mark_and_the_order_keeps_the_order_out(
    bare: AlloyDb, machine: standin.AlloyDb, google: Front
) -> None:
    """A call of an older lease that lands late: its etag is from before the newer run's mark."""
    held = google.outages.hold(operation=PROMOTE, after=1, times=1)
    with pytest.raises((OutcomeUnknown, Transient)):
        bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=call(10, 12.0))
    machine.clusters[PATHS[WEST]]["labels"][LABEL] = "11_r2"
    machine.touch(PATHS[WEST])
    held.land()
    machine.end()
    assert [verb for verb, _ in machine.orders] == ["update"]
    with pytest.raises(Conflict, match="epoch 11"):
        bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=Calls().make(10))


def test_what_somebody_else_changed_meanwhile_refuses_the_mark(
    bare: AlloyDb, machine: standin.AlloyDb, google: Front
) -> None:
    """A competing writer's change lies between the look and the mark."""
    held = google.outages.hold(operation=PATCH, times=1)
    with pytest.raises((OutcomeUnknown, Transient)):
        bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=call(10, 12.0))
    machine.clusters[PATHS[WEST]]["labels"] = {"team": "other"}
    machine.touch(PATHS[WEST])
    held.land()
    assert machine.clusters[PATHS[WEST]]["labels"] == {"team": "other"}
    assert machine.orders == []


@pytest.mark.parametrize("said", [(409, "ABORTED"), (400, "FAILED_PRECONDITION")])
def test_an_operation_that_is_under_way_means_look_again(
    bare: AlloyDb, machine: standin.AlloyDb, said: tuple[int, str]
) -> None:
    machine.busy_says = said
    state = known(bare.read(WEST))
    machine.seconds = 30.0
    machine.projects_locations_clusters_patch(
        {"projectsId": "shop-prod", "locationsId": WEST, "clustersId": "orders-w"},
        {"updateMask": "labels"},
        {"labels": {"team": "shop"}},
    )
    with pytest.raises(Conflict):
        bare.failover(CENTRAL, WEST, expect=state, call=Calls().make())
    assert [verb for verb, _ in machine.orders] == ["update"]
    machine.seconds = 0.0
    machine._pending = [(0.0, *rest) for _, *rest in machine._pending]  # type: ignore[misc]
    machine.end()
    bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=Calls().make())
    machine.end()
    assert machine.clusters[PATHS[WEST]]["clusterType"] == "PRIMARY"


def test_a_mark_that_takes_long_is_waited_for_within_the_call_and_found_by_the_next(
    bare: AlloyDb, machine: standin.AlloyDb, google: Front
) -> None:
    machine.seconds = 2.0
    state = known(bare.read(WEST))
    with pytest.raises(Transient, match="under way still"):
        bare.failover(CENTRAL, WEST, expect=state, call=call(10, 6.0))
    assert promotions(google) == []
    machine.end()
    bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=Calls().make())
    assert google.count(operation=PATCH) == 1, "the mark that is there is not written again"
    machine.end()
    assert machine.clusters[PATHS[WEST]]["clusterType"] == "PRIMARY"


def test_a_mark_whose_operation_may_not_be_read_is_found_by_the_next_try(
    bare: AlloyDb, machine: standin.AlloyDb, google: Front
) -> None:
    google.outages.fail("forbidden", 403, operation="projects.locations.operations.get")
    with pytest.raises(Transient, match="under way still"):
        bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=Calls().make())
    machine.end()
    bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=Calls().make())
    machine.end()
    assert known(bare.read(WEST)).role is Role.PRIMARY


def test_without_an_etag_the_mark_alone_keeps_an_older_run_out(
    bare: AlloyDb, machine: standin.AlloyDb, google: Front
) -> None:
    for path in PATHS.values():
        machine.clusters[path]["etag"] = ""
    machine.touch = lambda path: None  # type: ignore[method-assign]  (nothing has an etag)
    bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=Calls().make())
    machine.end()
    (asked,) = promotions(google)
    assert set(asked) == {"requestId"}
    assert known(bare.read(WEST)).role is Role.PRIMARY


def test_a_mark_that_google_says_is_written_and_is_not_there_lets_no_order_through(
    bare: AlloyDb, machine: standin.AlloyDb, google: Front
) -> None:
    machine.obeying = False
    with pytest.raises(Transient, match="is not there"):
        bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=Calls().make())
    assert promotions(google) == []


@pytest.mark.parametrize("code", ["INTERNAL", "FAILED_PRECONDITION", "PERMISSION_DENIED"])
def test_an_operation_that_fails_leaves_the_secondary_what_it_was_and_is_ordered_anew(
    bare: AlloyDb, machine: standin.AlloyDb, code: str
) -> None:
    machine.failing = code
    with pytest.raises(CloudfailError):
        bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=Calls().make())
    machine.failing = ""
    state = known(bare.read(WEST))
    assert (state.role, state.moving) == (Role.REPLICA, "")
    bare.failover(CENTRAL, WEST, expect=state, call=Calls().make())
    machine.end()
    assert known(bare.read(WEST)).role is Role.PRIMARY


def test_a_promotion_that_failed_after_it_was_taken_is_seen_and_ordered_under_another_id(
    bare: AlloyDb, machine: standin.AlloyDb, google: Front
) -> None:
    """An id that was carried out once is answered with what came of it then: with the failure."""
    bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=Calls().make())
    machine.failing = "INTERNAL"
    machine.end()
    machine.failing = ""
    bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=Calls().make())
    machine.end()
    assert known(bare.read(WEST)).role is Role.PRIMARY
    first, second = promotions(google)
    assert first["requestId"] != second["requestId"]


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("how", ["closed", "busy"])
def test_the_lost_answer_to_a_request_before_the_order_is_settled_by_looking(
    google: Front, serving: Callable[[str, Any], Any], how: str, after: int
) -> None:
    """Of the question whether it would be taken, and of the mark."""
    lose_an_answer(alloydb_promoted(google, serving).begun(), how, after)


def test_an_older_epoch_orders_nothing_after_a_newer_one(
    bare: AlloyDb, machine: standin.AlloyDb, google: Front
) -> None:
    machine.clusters[PATHS[WEST]]["labels"] = {LABEL: "20_r0"}
    with pytest.raises(Conflict, match="epoch 20"):
        bare.failover(CENTRAL, WEST, expect=known(bare.read(WEST)), call=Calls().make(19))
    assert google.count(mutating=True) == 0


def test_a_secondary_of_another_cluster_is_not_promoted_for_this_source(
    bare: AlloyDb, machine: standin.AlloyDb, google: Front
) -> None:
    machine.cluster("projects/shop-prod/locations/asia-east1/clusters/orders-a")
    other = "projects/shop-prod/locations/asia-east1/clusters/orders-a"
    machine.clusters[PATHS[WEST]]["secondaryConfig"]["primaryClusterName"] = other
    state = known(bare.read(WEST))
    assert state.upstream is None
    with pytest.raises(Permanent, match="not the member in"):
        bare.failover(CENTRAL, WEST, expect=state, call=Calls().make())
    assert google.count(mutating=True) == 0


def test_a_project_that_google_gives_by_its_number_is_the_same_one(bare: AlloyDb, machine: standin.AlloyDb) -> None:
    numbered = PATHS[CENTRAL].replace("shop-prod", "123456789012")
    machine.clusters[PATHS[WEST]]["secondaryConfig"]["primaryClusterName"] = numbered
    assert known(bare.read(WEST)).upstream == CENTRAL
    assert not same(PATHS[CENTRAL], PATHS[CENTRAL].replace("shop-prod", "other-prod"))
    assert not same(PATHS[CENTRAL], PATHS[WEST])
    assert not same("", "")


def test_a_region_that_does_not_answer_is_unknown(bare: AlloyDb, google: Front) -> None:
    google.outages.refuse(region=WEST)
    assert isinstance(bare.read(WEST), Unknown)
    assert isinstance(bare.switchover_state(CENTRAL, WEST), Unknown)
    assert isinstance(bare.follow_state(WEST, CENTRAL), Unknown)


def test_an_answer_that_says_nothing_of_the_cluster_is_unknown(bare: AlloyDb, machine: standin.AlloyDb) -> None:
    machine.clusters[PATHS[WEST]]["clusterType"] = "CLUSTER_TYPE_UNSPECIFIED"
    assert isinstance(bare.read(WEST), Unknown)


def test_a_region_without_a_project_is_refused_with_what_to_write(machine: standin.AlloyDb) -> None:
    one = alloydb_world.resource(NAMES)
    database = AlloyDb(one, alloydb_world.topology(one, project=""))
    read = database.read(WEST)
    assert isinstance(read, Unknown)
    assert "account:" in read.reason


def test_names_and_fences_are_held_to_what_alloydb_has() -> None:
    assert KIND.member is not None
    assert KIND.options is not None
    for wrong in ("Orders", "orders_c", "-orders", {"cluster": "orders-c", "dsn": "host=db"}, {"instance": "main"}):
        with pytest.raises(ValidationError):
            KIND.member.model_validate(wrong)
    with pytest.raises(ValidationError):
        KIND.options.model_validate({"fences": ["authorized-networks"]})


NEEDS = {
    "projects.locations.clusters.get": "alloydb.clusters.get",
    "projects.locations.clusters.patch": "alloydb.clusters.update",
    PROMOTE: "alloydb.clusters.promote",
    SWITCHOVER: "alloydb.clusters.switchover",
    "projects.locations.clusters.instances.list": "alloydb.instances.list",
    "projects.locations.clusters.instances.get": "alloydb.instances.get",
    "projects.locations.clusters.instances.patch": "alloydb.instances.update",
    "projects.locations.operations.get": "alloydb.operations.get",
}


def test_what_it_says_that_it_must_be_allowed_is_what_it_asks(machine: standin.AlloyDb, google: Front) -> None:
    members = {**NAMES, CENTRAL: {"cluster": "orders-c", "instance": "main"}}
    database = alloydb_world.port(members, api_within="4s")
    known(database.preflight())
    database.fence(CENTRAL, WEST, expect=known(database.fence_state(CENTRAL, WEST)), call=Calls().make())
    machine.end()
    database.failover(CENTRAL, WEST, expect=known(database.read(WEST)), call=Calls().make())
    asked = {(one.operation, one.mutating) for one in google.seen()}
    assert {operation for operation, _ in asked} == set(NEEDS) - {SWITCHOVER}
    one = alloydb_world.resource(members)
    assert KIND.permissions is not None
    said = KIND.permissions(one, alloydb_world.topology(one), list(NAMES))
    assert {action for grant in said.watch for action in grant.actions} == {
        NEEDS[operation] for operation, mutating in asked if not mutating
    }
    assert {action for grant in said.execute for action in grant.actions} == {
        NEEDS[SWITCHOVER],
        *(NEEDS[operation] for operation, mutating in asked if mutating),
    }
    assert all("/clusters/orders-" in on for grant in said.execute for on in grant.on)


def test_without_psycopg_it_is_said_what_to_install() -> None:
    code = """
import sys
sys.modules["psycopg"] = None
from cloudfail.errors import Permanent
from cloudfail.model.topology import PortName
from cloudfail_gcp import provider
from types import SimpleNamespace
try:
    provider.kinds()[PortName.DATABASE, "alloydb"].build(SimpleNamespace(name="orders"), None)
except Permanent as error:
    print(error.to_do)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "cloudfail[gcp,postgres]" in found


# ---- preflight


def test_a_pair_that_is_ready_has_nothing_against_it(bare: AlloyDb, google: Front) -> None:
    assert known(bare.preflight()) == ()
    assert google.count(mutating=True) == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda one: one.clusters[PATHS[WEST]].update(state="MAINTENANCE"), "orders-w in europe-west1 is MAINTENANCE"),
        (lambda one: one.independent(PATHS[WEST]), "each of a cluster of its own"),
        (lambda one: one.instances.pop(f"{PATHS[WEST]}/instances/main"), "has no secondary instance"),
        (lambda one: one.instances[f"{PATHS[WEST]}/instances/main"].update(state="FAILED"), "is FAILED"),
        (lambda one: one.clusters[PATHS[WEST]].update(databaseVersion="POSTGRES_16"), "runs POSTGRES_16"),
        (
            lambda one: one.cluster("projects/shop-prod/locations/asia-east1/clusters/orders-a", of=PATHS[CENTRAL]),
            "a failover leaves it with the old primary",
        ),
        (lambda one: one.clusters.pop(PATHS[WEST]), "knows no cluster orders-w"),
    ],
)
def test_what_would_refuse_a_move_is_told_before_the_bad_day(
    bare: AlloyDb, machine: standin.AlloyDb, wrong: Callable[[standin.AlloyDb], Any], words: str
) -> None:
    wrong(machine)
    (told,) = known(bare.preflight())
    assert words in told


def test_an_instance_that_the_fence_names_and_that_is_not_there_is_told(machine: standin.AlloyDb) -> None:
    database = alloydb_world.port({**NAMES, CENTRAL: {"cluster": "orders-c", "instance": "writer"}})
    (told,) = known(database.preflight())
    assert "has no instance writer" in told


def test_a_preflight_that_nobody_answers_is_unknown(bare: AlloyDb, google: Front) -> None:
    google.outages.refuse(region=WEST)
    assert isinstance(bare.preflight(), Unknown)
