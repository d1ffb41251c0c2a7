"""A group of workers whose members are of several kinds: what the file may say, and who is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.config.loaded import Loaded
from cloudfail.errors import ConfigError, Refused
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.room import Room
from cloudfail.model.states import ComputeState
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Call, Kind, VerbFacts
from cloudfail.spanning import SpanningCompute, SpanningComputeWithRoom, kind_of

CALL = Call("r1", "scale", 3, "r1/scale", 10.0, lambda: None)
STATE = ComputeState(1, 1, 1)
TOPOLOGY = """\
application: shop
objectives: {rto: 15m, rpo: 30s}
regions:
  east: {provider: aws}
  west: {provider: azure}
primary: east
state: "memory:"
resources:
  web: {compute: {east: autoscaling, west: command}, members: {east: web-e, west: web-w}}
checks: {shop: {http: "https://${region}.shop.example/"}}
"""


@dataclass
class Group:
    """Fulfils ports.Compute for the regions of its part, and remembers what it was told."""

    regions: list[str]
    told: list[tuple[Any, ...]] = field(default_factory=list)

    def read(self, region: str) -> Known[ComputeState] | Unknown:
        self.told.append(("read", region))
        return Known(STATE, 1.0)

    def scale(self, region: str, count: int, *, expect: ComputeState, call: Call) -> None:
        self.told.append(("scale", region, count, expect, call))

    def hold(self, region: str, held: bool, *, expect: ComputeState, call: Call) -> None:
        self.told.append(("hold", region, held, expect, call))


@dataclass
class Bounded(Group):
    def room(self, region: str) -> Known[Room] | Unknown:
        return Known(Room(region, 10.0, "vCPUs", 2.0), 1.0)

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        return Known((f"{self.regions[0]} would refuse",), 2.0)


class Clouds:
    """Two kinds, one of each cloud, and what was built of them."""

    def __init__(self, east: type[Group] = Bounded, west: type[Group] = Group) -> None:
        self.groups: dict[str, Group] = {}
        self.topology = loaded().topology
        self.kind = kind_of([self._part("autoscaling", "aws", "east", east), self._part("set", "azure", "west", west)])
        self.resource = self.topology.resources["web"]
        self.port: SpanningCompute = self.kind.build(self.resource, self.topology)

    def _part(self, name: str, provider: str, region: str, group: type[Group]) -> tuple[Resource, Kind]:
        def build(resource: Resource, topology: Topology) -> Group:
            self.groups[region] = group(list(resource.members))
            return self.groups[region]

        facts = {"scale": VerbFacts("control", "member", typical_seconds=len(name), fencing="mark")}
        if name == "set":
            facts["hold"] = VerbFacts()
        shared = {"scale": lambda resource, topology, where: (f"{provider}/{where}",)}
        resource = Resource("web", PortName.COMPUTE, name, provider, None, {region: f"web-{region}"})
        return resource, Kind(PortName.COMPUTE, name, build, settle_seconds=len(name), verbs=facts, shared=shared)


def loaded(text: str = TOPOLOGY, tmp_path: Path | None = None) -> Loaded:
    from cloudfail.testing.provider import FakeProvider

    providers = {name: FakeProvider(name) for name in ("aws", "azure", "gcp")}
    path = (tmp_path or Path("/nowhere")) / "cloudfail.yaml"
    return config.load(path, [], providers, contents={str(path): text.encode()})


def test_each_region_is_asked_of_who_runs_the_workers_there() -> None:
    clouds = Clouds()
    assert clouds.port.read("west") == Known(STATE, 1.0)
    clouds.port.scale("east", 4, expect=STATE, call=CALL)
    clouds.port.hold("west", True, expect=STATE, call=CALL)
    assert clouds.groups["east"].told == [("scale", "east", 4, STATE, CALL)]
    assert clouds.groups["west"].told == [("read", "west"), ("hold", "west", True, STATE, CALL)]


def test_where_nobody_runs_workers_nothing_is_known_and_nothing_is_changed() -> None:
    clouds = Clouds()
    assert isinstance(clouds.port.read("north"), Unknown)
    with pytest.raises(Refused, match="no such workers in north"):
        clouds.port.scale("north", 4, expect=STATE, call=CALL)


def test_it_has_room_only_if_every_cloud_says_what_may_run() -> None:
    assert not isinstance(Clouds().port, SpanningComputeWithRoom)
    port = Clouds(west=Bounded).port
    assert isinstance(port, SpanningComputeWithRoom)
    assert port.room("west") == Known(Room("west", 10.0, "vCPUs", 2.0), 1.0)


def test_what_any_of_them_would_refuse_is_said_before() -> None:
    assert Clouds().port.preflight() == Known(("east would refuse",), 2.0)
    assert Clouds(west=Bounded).port.preflight() == Known(("east would refuse", "west would refuse"), 2.0)


def test_what_it_says_of_a_verb_is_the_worst_that_any_of_them_says() -> None:
    kind = Clouds().kind
    assert kind.name == "autoscaling and set"
    assert kind.settle_seconds == len("autoscaling")
    facts = kind.facts("scale", Clouds().resource)
    assert (facts.plane, facts.home, facts.typical_seconds) == ("control", "member", len("autoscaling"))
    assert "hold" not in kind.verbs, "one of them cannot"


def test_what_is_replaced_as_a_whole_is_that_of_the_region() -> None:
    clouds = Clouds()
    assert clouds.kind.shared["scale"](clouds.resource, clouds.topology, "west") == ("azure/west",)
    assert clouds.kind.shared["scale"](clouds.resource, clouds.topology, "") == ("aws/", "azure/")


def test_the_file_says_a_kind_for_each_region() -> None:
    found = loaded()
    web = found.topology.resources["web"]
    assert (web.kind, dict(web.members)) == ("autoscaling and command", {"east": "web-e", "west": "web-w"})
    assert [(part.provider, kind.name, dict(part.members)) for part, kind in found.parts()] == [
        ("aws", "autoscaling", {"east": "web-e"}),
        ("azure", "command", {"west": "web-w"}),
    ]


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ("west: command}, members", "north: command}, members", "north has no member here"),
        ("{east: web-e, west: web-w}", "{east: web-e}", "west has no member here"),
        ("west: command}, members", "west: comand}, members", 'serves no compute of kind "comand"'),
        ("west: web-w}}", "west: web-w}, id: web}", "id is no key of a group whose members are of several kinds"),
        ("west: web-w}}", "west: web-w}, provider: aws}", "provider is no key of a group"),
        ("west: web-w}}", "west: web-w}, size: 4}", "size is no key of a group"),
        ("compute: {east: autoscaling, west: command}", "database: {east: a, west: b}", "database"),
    ],
)
def test_what_does_not_fit_is_a_mistake(written: str, instead: str, said: str) -> None:
    assert TOPOLOGY.count(written) == 1
    with pytest.raises(ConfigError) as told:
        loaded(TOPOLOGY.replace(written, instead))
    assert said in str(told.value)


@pytest.mark.parametrize(
    ("stand_in", "said"),
    [
        ("{serves: [shpo]}", 'there is no check "shpo"'),
        ("{serves: []}", "serves"),
        ("{serves: [shop], share: 0%}", "this is no share of the workers"),
        ("{serves: [shop], share: 25}", "this is no share of the workers"),
        ("{share: 25%}", "serves"),
    ],
)
def test_a_stand_in_says_what_it_serves(stand_in: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        loaded(TOPOLOGY.replace("west: {provider: azure}", f"west: {{provider: azure, stand_in: {stand_in}}}"))
    assert said in str(told.value)


def test_the_primary_of_a_file_is_no_stand_in() -> None:
    with pytest.raises(ConfigError, match="east stands in for another region"):
        loaded(TOPOLOGY.replace("east: {provider: aws}", "east: {provider: aws, stand_in: {serves: [shop]}}"))
