"""network: command. A path behind commands, with packets over sockets that follow what the commands set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.lint import lint
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import NetworkState
from cloudfail.model.topology import PortName, Resource
from cloudfail.testing.conformance import Calls, Harness, known
from cloudfail.testing.network_suite import NetworkSuite
from cloudfail_local import provider
from cloudfail_local.network import CommandNetwork
from cloudfail_local.options import NetworkMember, NetworkOptions
from tests.local.test_conformance import LocalHarness
from tests.path_server import Forwarder, greeting


class Router:
    """A file that says where packets go, commands that read and write it, and the packets."""

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        self.folder = folder / "router"
        self.folder.mkdir()
        self.leads = self.folder / "leads"
        self.set("e")
        self.ports = ports
        self.packets = Forwarder(self._goes)

    def set(self, name: str | None) -> None:
        self.leads.write_text(json.dumps({"leads": name}))

    def now(self) -> str | None:
        told: str | None = json.loads(self.leads.read_text())["leads"]
        return told

    def _goes(self) -> int | None:
        name = self.now()
        return self.ports[name] if name in self.ports else None

    def network(self, **changed: Any) -> CommandNetwork:
        write = f'echo \'{{"leads": "${{to}}"}}\' > {self.leads}'
        options = {
            "read": ["cat", str(self.leads)],
            "lead": ["sh", "-c", write],
            "release": ["sh", "-c", f"echo '{{\"leads\": null}}' > {self.leads}"],
            "answer_within": "20s",
            **changed,
        }
        members = {
            region: {"name": region[0], "reach": {"at": self.packets.address, "says": f"220 {region}"}}
            for region in ("east", "west")
        }
        return CommandNetwork(
            Resource(
                "backbone",
                PortName.NETWORK,
                "command",
                "local",
                None,
                {region: NetworkMember.model_validate(member).model_dump() for region, member in members.items()},
                NetworkOptions.model_validate(options).model_dump(),
            )
        )


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with greeting("east", "west") as greeters:
        made = Router(tmp_path, {name[0]: one.port for name, one in greeters.items()})
        yield made
        made.packets.close()


class TestCommand(NetworkSuite):
    @pytest.fixture(params=["route", "move_address"])
    def world(self, router: Router, request: pytest.FixtureRequest) -> Harness:
        self.verb = request.param
        gone = router.folder.with_name("gone")
        return LocalHarness(
            (PortName.NETWORK, "command"),
            lambda: router.network(verb=request.param),
            lambda _region: router.folder.rename(gone) and None,
            lambda _region: gone.rename(router.folder) and None,
        )


WEST = {"backbone": ("west",)}


def test_a_command_that_says_yes_and_does_nothing_is_seen_to_have_done_nothing(router: Router) -> None:
    network = router.network(lead=["true"])
    network.route(WEST, expect=known(network.read()), call=Calls().make())
    assert known(network.read()).points == {"backbone": ("east",)}


def test_packets_that_do_not_follow_are_not_taken_for_a_move(router: Router) -> None:
    router.packets.freeze()
    network = router.network()
    network.route(WEST, expect=known(network.read()), call=Calls().make())
    assert known(network.read()).points == WEST
    assert known(network.reach("west")).answers is False
    router.packets.follow()
    assert known(network.reach("west")).answers is True


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        ('{"leads": "mars"}', "which is no member"),
        ('{"lead": "e"}', "no such JSON"),
        ("[]", "no such JSON"),
        ("", "no such JSON"),
    ],
)
def test_what_is_read_and_is_no_member_or_no_json_is_unknown(router: Router, printed: str, reason: str) -> None:
    router.leads.write_text(printed)
    network = router.network()
    read = network.read()
    assert isinstance(read, Unknown)
    assert reason in read.reason
    with pytest.raises(Transient):
        network.route(WEST, expect=NetworkState({}), call=Calls().make())
    assert router.leads.read_text() == printed


def test_what_led_nowhere_is_led_and_let_go_again(router: Router) -> None:
    router.set(None)
    network = router.network()
    assert known(network.read()).points == {"backbone": ()}
    network.route(WEST, expect=known(network.read()), call=Calls().make())
    assert router.now() == "w"
    network.route({"backbone": ()}, expect=known(network.read()), call=Calls().make())
    assert router.now() is None
    without = router.network(release=None)
    with pytest.raises(Permanent, match="no `release` command"):
        without.route({"backbone": ()}, expect=known(without.read()), call=Calls().make())


def test_while_it_moves_by_itself_it_takes_no_order(router: Router) -> None:
    router.leads.write_text('{"leads": "e", "moving": "converging"}')
    network = router.network()
    state = known(network.read())
    assert state.moving == "converging"
    with pytest.raises(Transient, match="converging"):
        network.route(WEST, expect=state, call=Calls().make())


def test_a_version_that_the_router_counts_up_is_a_conflict_although_it_leads_there(router: Router) -> None:
    router.leads.write_text('{"leads": "e", "version": 7}')
    network = router.network()
    state = known(network.read())
    router.leads.write_text('{"leads": "e", "version": 8}')
    with pytest.raises(Conflict):
        network.route(WEST, expect=state, call=Calls().make())


def test_a_command_that_does_not_end_is_in_doubt(router: Router) -> None:
    network = router.network(lead=["sh", "-c", "exit 255"])
    with pytest.raises(OutcomeUnknown):
        network.route(WEST, expect=known(network.read()), call=Calls().make())


FILE = """\
application: shop
objectives: {rto: 15m, rpo: 30s}
regions:
  east: {provider: local}
  west: {provider: local}
primary: east
state: "sqlite:state.db"
resources:
  vip:
    {network: command, verb: move_address, read: [vip, at], lead: [vip, move, "$${to}"], members: {east: {}, west: {}}}
"""
RUNBOOK = """\
name: move
mode: failover
steps:
  address: {action: network.%s, with: {network: vip}, limit: 60s}
"""


@pytest.mark.parametrize(("verb", "refused"), [("move_address", False), ("route", True)])
def test_the_file_says_which_verb_it_serves_and_lint_knows(tmp_path: Path, verb: str, refused: bool) -> None:
    (tmp_path / "cloudfail.yaml").write_text(FILE)
    (tmp_path / "move.yaml").write_text(RUNBOOK % verb)
    loaded = config.load(tmp_path / "cloudfail.yaml", [tmp_path / "move.yaml"], {"local": provider})
    vip = loaded.topology.resources["vip"]
    assert vip.options["lead"] == ("vip", "move", "${to}")
    found = [one.rule for one in lint(loaded)]
    assert ("verb-of-the-kind" in found) is refused
    assert "nothing-proves-it" in found
    silent = CommandNetwork(vip).reach("west")
    assert isinstance(silent, Known)
    assert silent.value.answers is None
