"""database: firestore against a stand-in whose wire is Google's own description, asked through a real proxy for each
region."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from cloudfail.actions import Done, Moving, NotKnown, Todo
from cloudfail.clock import SystemClock
from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail.ports import Call
from cloudfail.testing.conformance import Calls, known
from cloudfail.testing.many_writers_suite import ManyWritersSuite
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.budget import Budget
from cloudfail_gcp.database import KINDS
from cloudfail_gcp.database.firestore import Firestore
from cloudfail_gcp.sessions import Sessions
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.many_writers import refused, step_of
from tests.emulators.gcp.standins import firestore as standin
from tests.emulators.wire import Answer, Door, Lost, Request, Upstream

pytestmark = pytest.mark.timeout(300)
(KIND,) = (kind for kind in KINDS if kind.name == "firestore")
EAST, WEST = "us-east1", "us-central1"
COMMIT, GET = "projects.databases.documents.commit", "projects.databases.documents.get"
BRIEF = {"answer_within": "1500ms", "api_within": "1500ms"}


class Proxy:
    """An HTTP proxy on loopback, as one that stands in a region. `asked`: the paths that went through it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._upstreams: dict[int, Upstream] = {}
        self._door = Door(self._forward)

    @property
    def url(self) -> str:
        return self._door.url

    def shut(self) -> None:
        self._door.shut()

    def open(self) -> None:
        self._door.open()

    def _forward(self, request: Request) -> Answer | Lost:
        asked = urlsplit(request.target)
        if asked.port is None:
            return Answer(400, (), b"This is a proxy.")
        self.asked.append(asked.path)
        upstream = self._upstreams.setdefault(asked.port, Upstream(asked.port))
        return upstream(replace(request, target=asked.path + (f"?{asked.query}" if asked.query else "")))


def topology(members: dict[str, Any], **options: Any) -> tuple[Resource, Topology]:
    assert KIND.options is not None
    assert KIND.member is not None
    written = KIND.options(**{"path": standin.DATABASE, **options}).model_dump()
    whole = {region: KIND.member.model_validate(one).model_dump() for region, one in members.items()}
    resource = Resource("orders", PortName.DATABASE, "firestore", "gcp", None, whole, written)
    regions = {region: Region(region, "gcp", standin.PROJECT) for region in (EAST, WEST)}
    return resource, Topology("shop", Objectives(900, 30), regions, EAST, "memory:", {"orders": resource})


def made(members: dict[str, Any], **options: Any) -> Firestore:
    resource, whole = topology(members, **options)
    clock = SystemClock()
    return Firestore(Asking(resource, whole, Sessions(), Budget(clock), clock))


class Site:
    """conformance.Harness. A region that is unreachable has lost its proxy; Firestore itself still answers."""

    source, target = EAST, WEST

    def __init__(self, front: Front, machine: standin.Firestore) -> None:
        self.front, self.machine = front, machine
        self.proxies = {EAST: Proxy(), WEST: Proxy()}
        self._port = made({region: proxy.url for region, proxy in self.proxies.items()}, **BRIEF)

    def port(self) -> Firestore:
        return self._port

    def make_unreachable(self, region: str) -> None:
        self.proxies[region].shut()

    def restore(self, region: str) -> None:
        self.proxies[region].open()

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.1))

    def fencing(self, verb: str) -> str:
        return KIND.verbs[verb].fencing

    def canaries(self) -> list[str]:
        return [name for name in self.machine.documents if "canary" in name]


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> standin.Firestore:
    one: standin.Firestore = serving("firestore.v1", standin.Firestore())
    return one


@pytest.fixture
def world(google: Front, machine: standin.Firestore) -> Iterator[Site]:
    site = Site(google, machine)
    yield site
    for proxy in site.proxies.values():
        proxy.shut()


class TestFirestore(ManyWritersSuite):
    """The world is the module's."""


# ---- what a region proves


def test_each_region_is_asked_through_its_own_proxy_and_through_no_other(world: Site) -> None:
    database = world.port()
    database.read(WEST)
    database.beat(WEST)
    database.write_canary(WEST, "r1/write", call=Calls().make())
    assert len(world.proxies[WEST].asked) == world.front.count() == 6
    assert world.proxies[EAST].asked == []


def test_the_description_is_of_no_region_and_asked_from_here(world: Site) -> None:
    world.make_unreachable(EAST)
    world.make_unreachable(WEST)
    assert known(world.port().preflight()) == ()
    assert isinstance(world.port().read(WEST), Unknown)


def test_a_region_whose_proxy_is_lost_is_unknown_though_the_database_takes_writes(world: Site) -> None:
    world.make_unreachable(EAST)
    database = world.port()
    assert isinstance(database.read(EAST), Unknown)
    assert isinstance(database.beat(EAST), Unknown)
    assert known(database.read(WEST)).writable


def test_documents_of_ours_stand_in_a_collection_of_our_own(world: Site) -> None:
    world.port().write_canary(WEST, "r1/write", call=Calls().make())
    ((name, fields),) = world.machine.documents.items()
    assert name == f"{standin.DATABASE}/documents/cloudfail/canary~{WEST}~r1~write"
    assert fields["by"] == {"stringValue": "10 r1"}, "who looks at it sees whose document it is"


def test_a_document_that_somebody_else_wrote_is_not_guessed_at(world: Site) -> None:
    name = f"{standin.DATABASE}/documents/cloudfail/canary~{WEST}~r1~write"
    world.machine.documents[name] = {"n": {"integerValue": "1"}}
    read = world.port().read_canary(WEST, "r1/write")
    assert isinstance(read, Unknown)
    assert "none that cloudfail wrote" in read.reason


def test_a_database_that_is_not_there_is_unknown_and_takes_no_canary(world: Site) -> None:
    world.machine.there = False
    database = world.port()
    assert isinstance(database.read(WEST), Unknown)
    assert isinstance(database.beat(WEST), Unknown)
    assert isinstance(database.preflight(), Unknown)
    with pytest.raises(Permanent, match="does not exist"):
        database.write_canary(WEST, "r1/write", call=Calls().make())


def test_a_database_in_datastore_mode_is_named_before_the_bad_day(world: Site) -> None:
    world.machine.kind = "DATASTORE_MODE"
    (told,) = known(world.port().preflight())
    assert "takes no documents" in told
    assert isinstance(world.port().read(WEST), Unknown)


# ---- what can be lost


def test_nothing_is_lost_in_a_multi_region_location(world: Site) -> None:
    bound = world.port().loss(EAST, WEST, Unknown("nobody saw one"))
    assert (bound.if_dead_seconds, bound.if_alive_seconds) == (0.0, 0.0)


@pytest.mark.parametrize("location", ["us-east1", ""])
def test_in_one_region_or_nobody_knows_where_nothing_is_promised(world: Site, location: str) -> None:
    world.machine.location = location
    assert world.port().loss(EAST, WEST, Unknown("-")).if_dead_seconds is None
    told = world.port().preflight()
    assert "lost with that region" in str(told) if location else isinstance(told, Unknown)


# ---- verify.write, and what Google says


def test_a_write_in_the_survivor_is_proven_while_the_other_region_is_gone(world: Site) -> None:
    world.make_unreachable(EAST)
    look, act = step_of(world.port(), EAST, WEST)
    first = look()
    assert isinstance(first, Todo)
    act(first, Calls().make())
    assert isinstance(look(), Done)


def test_a_write_that_was_acknowledged_and_is_not_there_completes_no_step(world: Site) -> None:
    world.machine.keeping = False
    state = known(world.port().read(WEST))
    assert not state.writable
    look, act = step_of(world.port(), EAST, WEST)
    for _ in range(3):
        seen = look()
        assert isinstance(seen, Todo), seen
        act(seen, Calls().make())
    world.machine.keeping = True
    act(seen, Calls().make())
    assert isinstance(look(), Done)


def test_a_region_that_gives_the_canary_back_and_takes_no_writes_completes_no_step(world: Site) -> None:
    look, act = step_of(world.port(), EAST, WEST)
    act(look(), Calls().make())
    world.machine.keeping = False
    assert isinstance(look(), Moving)


def test_a_canary_is_written_once_whoever_comes_late(world: Site) -> None:
    """Its commit has the condition that it is not there, which Google holds."""
    held = world.front.outages.hold(times=1, operation=COMMIT)
    with pytest.raises(OutcomeUnknown):
        world.port().write_canary(WEST, "r1/write", call=Calls().make(10))
    world.port().write_canary(WEST, "r1/write", call=Calls().make(11))
    (answer,) = held.land()
    assert getattr(answer, "status", 0) == 409
    (name,) = world.canaries()
    assert world.machine.documents[name]["by"] == {"stringValue": "11 r1"}
    assert KIND.verbs["canary"].fencing == "condition"


@pytest.mark.parametrize("how", ["closed", "silent", "busy"])
def test_a_canary_whose_answer_was_lost_is_looked_at(world: Site, how: str) -> None:
    look, act = step_of(world.port(), EAST, WEST)
    first = look()
    world.front.outages.lose(how, operation=COMMIT, times=1)
    with pytest.raises(OutcomeUnknown):
        act(first, Calls().make())
    assert isinstance(look(), Done), "it had landed"


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ABORTED", 409, Conflict),
        ("ALREADY_EXISTS", 409, Conflict),
        ("PERMISSION_DENIED", 403, Permanent),
        ("INVALID_ARGUMENT", 400, Permanent),
    ],
)
def test_what_google_refuses_is_classed(world: Site, code: str, status: int, kind: type[CloudfailError]) -> None:
    refused(world.front, code, status, operation=COMMIT)
    with pytest.raises(kind):
        world.port().write_canary(WEST, "r1/write", call=Calls().make())
    assert world.canaries() == []


Fail = Callable[[Site], Any]
FAULTS: dict[str, Fail] = {
    "black hole": lambda site: site.front.outages.silence(),
    "reset": lambda site: site.front.outages.refuse(),
    "throttled": lambda site: site.front.outages.throttle(),
    "server's own error": lambda site: site.front.outages.fail("backendError", 503),
    "no proxy": lambda site: site.proxies[WEST].shut(),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_what_does_not_answer_is_unknown_and_never_written(world: Site, fault: Fail) -> None:
    database = world.port()
    known(database.read(WEST))
    fault(world)
    assert isinstance(database.read(WEST), Unknown)
    assert isinstance(database.beat(WEST), Unknown)
    assert isinstance(database.read_canary(WEST, "r1/write"), Unknown)
    call = Call(run="r1", step="write", epoch=10, key="k", timeout_seconds=2.0, check=lambda: None)
    with pytest.raises((Transient, OutcomeUnknown)):
        database.write_canary(WEST, "r1/write", call=call)
    look, _ = step_of(database, EAST, WEST)
    assert isinstance(look(), NotKnown)
    assert world.canaries() == []


def test_a_stale_answer_is_no_proof_of_another_write(world: Site) -> None:
    known(world.port().read(WEST))
    look, act = step_of(world.port(), EAST, WEST)
    act(look(), Calls().make())
    stale = world.front.outages.stale(60.0, operation=GET)
    assert not isinstance(look(), Done)
    stale.lift()
    assert isinstance(look(), Done)


def test_the_permissions_are_of_what_is_asked(world: Site) -> None:
    resource, whole = topology({EAST: world.proxies[EAST].url, WEST: world.proxies[WEST].url})
    assert KIND.permissions is not None
    said = KIND.permissions(resource, whole, [EAST, WEST])
    assert {action for one in said.execute for action in one.actions} == {"datastore.entities.create"}
    assert {one.on for one in (*said.watch, *said.execute)} == {(standin.DATABASE,)}
    world.port().write_canary(WEST, "r1/write", call=Calls().make())
    world.port().preflight()
    assert {one.operation for one in world.front.seen()} == {GET, COMMIT, "projects.databases.get"}


@pytest.mark.parametrize(
    ("options", "member"),
    [
        ({"path": "orders"}, "http://proxy.internal:3128"),
        ({"collection": "a/b"}, "http://proxy.internal:3128"),
        ({"region": EAST}, "http://proxy.internal:3128"),
        ({}, "proxy.internal"),
        ({}, "http://user:secret@proxy.internal:3128"),
        ({}, {"through": "http://proxy.internal:3128", "name": "x"}),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(options: dict[str, Any], member: Any) -> None:
    with pytest.raises(ValueError, match=r"pattern|forbidden"):
        topology({EAST: member, WEST: "http://proxy.internal:3128"}, **options)
