"""database: spanner against a stand-in for its REST sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from cloudfail.errors import OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.testing.conformance import Calls, known
from cloudfail.testing.many_writers_suite import ManyWritersSuite
from cloudfail_gcp.database.spanner import Spanner
from cloudfail_gcp.sessions import Sessions
from tests.emulators.gcp import spanner_world
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.ordered import spanner_canary
from tests.emulators.gcp.spanner_world import CENTRAL, EAST, KIND, MEMBERS, World
from tests.emulators.gcp.standins import spanner as standin
from tests.emulators.verbs import lose_an_answer

COMMIT = "projects.instances.databases.sessions.commit"
CREATE = "projects.instances.databases.sessions.create"
READ = "projects.instances.databases.sessions.read"


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> standin.Spanner:
    made: standin.Spanner = serving("spanner.v1", spanner_world.machine())
    return made


@pytest.fixture
def database(machine: standin.Spanner) -> Spanner:
    return spanner_world.port()


class TestSpanner(ManyWritersSuite):
    @pytest.fixture
    def world(self, machine: standin.Spanner) -> World:
        return World(machine)


# ---- what a region shows


def test_where_a_region_is_lost_the_others_go_on_taking_writes(database: Spanner, machine: standin.Spanner) -> None:
    machine.gone.add(CENTRAL)
    assert isinstance(database.read(CENTRAL), Unknown)
    assert known(database.read(EAST)).writable
    assert database.loss(CENTRAL, EAST, Unknown("nobody saw one")).if_dead_seconds == 0.0


def test_without_a_majority_no_region_takes_writes_whatever_it_shows(
    database: Spanner, machine: standin.Spanner
) -> None:
    machine.gone |= {CENTRAL, spanner_world.BETWEEN}
    assert isinstance(database.read(EAST), Unknown)
    with pytest.raises((Transient, OutcomeUnknown)):
        database.write_canary(EAST, "r1/write", call=Calls().make())
    assert machine.rows == {}


def test_a_write_that_was_acknowledged_and_is_not_shown_in_the_region_is_none(
    database: Spanner, machine: standin.Spanner
) -> None:
    machine.hide(EAST)
    state = known(database.read(EAST))
    assert not state.writable
    assert "does not show it" in state.moving
    assert isinstance(database.beat(EAST), Unknown)
    assert known(database.read(CENTRAL)).writable


def test_commits_that_are_acknowledged_and_not_made_let_nothing_be_taken_for_written(
    database: Spanner, machine: standin.Spanner
) -> None:
    machine.obeying = False
    assert not known(database.read(EAST)).writable
    database.write_canary(EAST, "r1/write", call=Calls().make())
    assert known(database.read_canary(EAST, "r1/write")) is None


def test_who_looks_at_the_table_sees_whose_row_it_is(database: Spanner, machine: standin.Spanner) -> None:
    database.write_canary(EAST, "r1/write", call=Calls().make(12))
    assert machine.rows[f"canary#{EAST}#r1/write"]["made_by"] == "12 r1"


def test_a_region_is_asked_alone_strongly_and_with_no_way_out(
    database: Spanner, machine: standin.Spanner, google: Front
) -> None:
    known(database.read_canary(EAST, "r1/write"))
    (asked,) = google.seen(operation=READ)
    assert asked.body["transaction"] == {"singleUse": {"readOnly": {"strong": True}}}
    assert asked.body["directedReadOptions"] == {
        "includeReplicas": {
            "autoFailoverDisabled": True,
            "replicaSelections": [{"location": EAST, "type": "READ_WRITE"}],
        }
    }


def test_a_canary_is_not_written_where_the_region_does_not_answer(database: Spanner, machine: standin.Spanner) -> None:
    machine.gone.add(EAST)
    with pytest.raises(Transient, match="no canary was written"):
        database.write_canary(EAST, "r1/write", call=Calls().make())
    assert machine.commits == 0


# ---- sessions


def test_a_session_that_spanner_dropped_is_made_anew_and_nothing_is_lost(
    database: Spanner, machine: standin.Spanner, google: Front
) -> None:
    known(database.read(EAST))
    database.write_canary(EAST, "r1/write", call=Calls().make())
    machine.sessions.clear()
    assert known(database.read_canary(EAST, "r1/write")) is not None
    machine.sessions.clear()
    database.write_canary(EAST, "r2/write", call=Calls().make())
    assert known(database.read_canary(EAST, "r2/write")) is not None


def test_sessions_are_made_once_for_who_looks_and_once_for_who_changes(database: Spanner, google: Front) -> None:
    for token in ("r1/a", "r1/b"):
        database.write_canary(EAST, token, call=Calls().make())
        known(database.read(CENTRAL))
    assert google.count(operation=CREATE) == 2


def test_an_answer_without_a_session_writes_nothing(database: Spanner, machine: standin.Spanner, google: Front) -> None:
    google.outages.lie(operation=CREATE)
    assert isinstance(database.read(EAST), Unknown)
    assert google.count(operation=COMMIT) == 0


def test_a_commit_that_does_not_say_when_it_was_made_is_in_doubt(
    database: Spanner, machine: standin.Spanner, google: Front
) -> None:
    """As one on a multiplexed session that was answered with a token, and not made."""
    google.outages.lie(operation=COMMIT)
    with pytest.raises(OutcomeUnknown):
        database.write_canary(EAST, "r1/write", call=Calls().make())
    assert isinstance(database.read(EAST), Unknown)


@pytest.mark.parametrize("after", [0])
@pytest.mark.parametrize("how", ["closed", "busy"])
def test_the_lost_answer_to_a_session_is_settled_by_looking(
    google: Front, serving: Callable[[str, Any], Any], how: str, after: int
) -> None:
    lose_an_answer(spanner_canary(google, serving).begun(), how, after)


# ---- what the instance is


@pytest.mark.parametrize("quorum", ["DUAL_REGION", "REGION", "QUORUM_TYPE_UNSPECIFIED"])
def test_an_instance_that_does_not_go_on_by_itself_is_refused_by_name(
    serving: Callable[[str, Any], Any], quorum: str
) -> None:
    machine = serving("spanner.v1", spanner_world.machine(quorum=quorum))
    database = spanner_world.port()
    read = database.read(EAST)
    assert isinstance(read, Unknown)
    assert f"is {quorum}, not MULTI_REGION" in read.reason
    bound = database.loss(CENTRAL, EAST, Unknown("nobody saw one"))
    assert (bound.if_dead_seconds, bound.if_alive_seconds) == (None, None)
    (told,) = known(database.preflight())
    assert quorum in told
    assert machine.commits == 0


def test_a_member_that_has_no_such_replicas_is_unknown_and_told_before(machine: standin.Spanner, google: Front) -> None:
    database = spanner_world.port({**MEMBERS, spanner_world.BETWEEN: "read-only"})
    read = database.read(spanner_world.BETWEEN)
    assert isinstance(read, Unknown)
    assert "has no read-only replicas in us-east1" in read.reason
    (told,) = known(database.preflight())
    assert "us-east1 (WITNESS)" in told
    assert google.count(operation=COMMIT) == 0, "preflight only reads"


def test_rows_count_where_the_instance_cannot_be_described_and_the_loss_is_unknown(
    database: Spanner, google: Front
) -> None:
    google.outages.refuse(operation="projects.instances.get")
    assert known(database.read(EAST)).writable
    assert database.loss(CENTRAL, EAST, Known(1.0, 1.0)).if_dead_seconds is None
    assert isinstance(database.preflight(), Unknown)


def test_a_table_that_is_not_there_is_told_before(database: Spanner, machine: standin.Spanner) -> None:
    assert known(database.preflight()) == ()
    machine.table = "other"
    (told,) = known(database.preflight())
    assert "Table not found: cloudfail" in told


def test_what_is_no_spanner_database_is_refused_when_it_is_built(machine: standin.Spanner) -> None:
    for wrong in (None, "sessions", "projects/shop-prod/instances/shop"):
        with pytest.raises(Permanent, match="names a Spanner database"):
            spanner_world.port(path=wrong)


NEEDS = {
    CREATE: {"spanner.sessions.create"},
    COMMIT: {"spanner.databases.write", "spanner.databases.beginOrRollbackReadWriteTransaction"},
    READ: {"spanner.databases.read", "spanner.databases.beginReadOnlyTransaction"},
    "projects.instances.get": {"spanner.instances.get"},
    "projects.instanceConfigs.get": {"spanner.instanceConfigs.get"},
}


def test_what_it_says_that_it_must_be_allowed_is_what_it_asks(machine: standin.Spanner, google: Front) -> None:
    resource, topology = spanner_world.loaded()
    database = Spanner(resource, topology, Sessions())
    known(database.read(EAST))
    assert KIND.permissions is not None
    said = KIND.permissions(resource, topology, [EAST])
    watch = {action for grant in said.watch for action in grant.actions}
    assert watch == set().union(*(NEEDS[one.operation] for one in google.seen()))
    google.forget()
    database.write_canary(EAST, "r1/write", call=Calls().make())
    execute = {action for grant in said.execute for action in grant.actions}
    assert execute == set().union(*(NEEDS[one.operation] for one in google.seen(mutating=True)))
    assert all(on == spanner_world.PATH for grant in said.execute for on in grant.on)


def test_members_and_tables_are_held_to_what_spanner_has() -> None:
    assert KIND.member is not None
    assert KIND.options is not None
    for member in ("witness", "", {"replicas": "leader"}, {"replicas": "read-write", "dsn": "x"}):
        with pytest.raises(ValidationError):
            KIND.member.model_validate(member)
    for table in ("1st", "a-b", "x" * 129):
        with pytest.raises(ValidationError):
            KIND.options.model_validate({"table": table})


def test_a_database_that_takes_writes_everywhere_says_so() -> None:
    assert KIND.many_writers
    assert set(KIND.verbs) == {"canary"}
