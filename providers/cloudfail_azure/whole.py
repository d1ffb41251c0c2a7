"""What is read and written back whole: by azure-mgmt-network, whose requests go out at the door of `Asking`.

The package says which request it is (path, version, body) and what may be written: a model made of what was read gives
out all of it, what the package has never heard of too, and leaves out what only Azure writes. Its pipeline is empty,
and its transport is ours: roles, bounds, the check before a change, the budget and the classes of errors are those of
asking.py. It polls nothing (`polling=False`): an operation is looked at in bounded slices (under_way.py).

Importing the package takes seconds and some 280 MB, which only who has such a kind pays, when it is built (ADR 0017).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from azure.mgmt.network import NetworkManagementClient, models

from cloudfail.errors import OutcomeUnknown, Transient
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking, Reply
from cloudfail_azure.network_door import Door, Sent
from cloudfail_azure.paths import must_stand
from cloudfail_azure.under_way import followed, pause_after

_ID = re.compile(r"/subscriptions/([^/]+)(?:/resourceGroups/([^/]+))?/providers/Microsoft\.Network/(.+)", re.IGNORECASE)
FOLLOW_SECONDS = 2.0
_UNDER_WAY = frozenset({"creating", "updating", "deleting"})
_ENDED_BADLY = frozenset({"failed", "canceled"})
# Type -> (the client's operations on it, the model of its body).
_TYPES = {
    "loadbalancers": ("load_balancers", "LoadBalancer"),
    "loadbalancers/backendaddresspools": ("load_balancer_backend_address_pools", "BackendAddressPool"),
    "applicationgateways": ("application_gateways", "ApplicationGateway"),
    "networkinterfaces": ("network_interfaces", "NetworkInterface"),
    "publicipaddresses": ("public_ip_addresses", "PublicIPAddress"),
}


@dataclass(frozen=True)
class Whole:
    """One resource as Azure tells it. body: all of it, to be changed in a copy."""

    id: str
    body: Mapping[str, Any]

    @property
    def properties(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.body["properties"]
        return found

    @property
    def etag(self) -> str:
        return str(self.body.get("etag") or "")

    @property
    def state(self) -> str:
        return str(self.properties.get("provisioningState") or "")

    @property
    def moving(self) -> str:
        """What is under way on it, in words; "" if nothing is."""
        return f"{self.id} is {self.state}" if self.state.lower() in _UNDER_WAY else ""

    @property
    def ended_badly(self) -> bool:
        return self.state.lower() in _ENDED_BADLY

    def copied(self) -> dict[str, Any]:
        return copy.deepcopy(dict(self.body))


class Network:
    """Microsoft.Network, asked about one resource of ours. region: whose roles are used, and where what is asked for
    must stand."""

    def __init__(self, asking: Asking, region: str) -> None:
        self._asking = asking
        self.region = region

    def get(self, id_: str, *, within: float) -> Whole:
        """Raises Transient where the answer says nothing of it; Permanent where it stands in another region."""
        group, names, operations, _ = _named(id_)
        found = self._looked(id_, lambda client: getattr(client, operations).get(group, *names), within).body
        whole = Whole(id_, found)
        if not isinstance(found.get("properties"), Mapping):
            raise Transient(f"Azure answers, and does not tell the properties of {id_}.")
        must_stand(id_, self.region, str(found.get("location") or self.region), self._asking.resource.name)
        return whole

    def put(self, whole: Whole, body: Mapping[str, Any], *, call: Call) -> Reply:
        """Written back whole, under the ETag that was seen. Raises as Asking.change."""
        group, names, operations, model = _named(whole.id)
        told = getattr(models, model)(dict(body))
        headers = {"If-Match": whole.etag} if whole.etag else {}
        return self._change(
            whole.id,
            lambda client: getattr(client, operations).begin_create_or_update(
                group, *names, told, polling=False, headers=headers
            ),
            call,
        )

    def tag(self, whole: Whole, tags: Mapping[str, str], *, call: Call) -> Reply:
        """All tags, since they are replaced as a map."""
        group, names, operations, _ = _named(whole.id)
        headers = {"If-Match": whole.etag} if whole.etag else {}
        told = models.TagsObject({"tags": dict(tags)})
        return self._change(
            whole.id, lambda client: getattr(client, operations).update_tags(group, *names, told, headers=headers), call
        )

    def swap(self, id_: str, holders: Mapping[str, str], *, call: Call) -> Reply:
        """Each of two frontends of balancers of this region -> the public address that it is to have."""
        wanted = [
            {"id": holder, "properties": {"publicIPAddress": {"id": address}}} for holder, address in holders.items()
        ]
        told = models.LoadBalancerVipSwapRequest({"frontendIPConfigurations": wanted})
        return self._change(
            id_,
            lambda client: client.load_balancers.begin_swap_public_ip_addresses(self.region, told, polling=False),
            call,
        )

    def follow(self, reply: Reply, what: str, time_left: TimeLeft) -> None:
        """Look whether what was just ordered has failed already; how it stands is read from the resource. Raises what
        its error is classed as."""
        followed(self._asking, self.region, reply, what, within=min(FOLLOW_SECONDS, time_left.seconds))

    def gateway_health(self, id_: str, *, within: float) -> dict[str, Any]:
        """What a gateway's probes see. Azure answers with an operation."""
        group, names, _, _ = _named(id_)
        return self._outcome(
            id_, lambda client: client.application_gateways.begin_backend_health(group, *names, polling=False), within
        )

    def pool_health(self, id_: str, probe: Mapping[str, Any], *, within: float) -> dict[str, Any]:
        """What a gateway sees of a pool that it may not lead to, probed for this question; the same."""
        group, names, _, _ = _named(id_)
        told = models.ApplicationGatewayOnDemandProbe(dict(probe))
        return self._outcome(
            id_,
            lambda client: client.application_gateways.begin_backend_health_on_demand(
                group, *names, told, polling=False
            ),
            within,
        )

    def rule_health(self, id_: str, rule: str, *, within: float) -> dict[str, Any]:
        """What a load balancer's probe of that rule sees; the same."""
        group, names, _, _ = _named(id_)
        return self._outcome(
            id_,
            lambda client: client.load_balancer_load_balancing_rules.begin_health(group, *names, rule, polling=False),
            within,
        )

    def _looked(self, id_: str, ask: Callable[[Any], Any], within: float) -> Reply:
        def sent(method: str, url: str, body: Any, _headers: Mapping[str, str]) -> Reply:
            return self._asking.read_reply(self.region, url, "", within=within, method=method, body=body)

        return self._through(id_, ask, sent)

    def _change(self, id_: str, ask: Callable[[Any], Any], call: Call) -> Reply:
        def sent(method: str, url: str, body: Any, headers: Mapping[str, str]) -> Reply:
            match = headers.get("If-Match", "")
            return self._asking.change(self.region, method, url, "", call=call, body=body, if_match=match)

        return self._through(id_, ask, sent)

    def _outcome(self, id_: str, ask: Callable[[Any], Any], within: float) -> dict[str, Any]:
        """What a question is answered with in the end. Raises OutcomeUnknown where it is not within that time."""
        until = self._asking.deadline(within)
        reply = self._looked(id_, ask, within)
        at = reply.headers.get("location", "")
        while reply.status == 202 and at:
            pause = pause_after(reply)
            if self._asking.left_until(until) <= pause:
                break
            self._asking.clock.sleep(pause)
            reply = self._asking.read_reply(self.region, at, "", within=self._asking.left_until(until))
            at = reply.headers.get("location", at)
        if reply.status == 202:
            raise OutcomeUnknown(f"Azure has not answered yet what is asked of {id_}.")
        return reply.body

    def _through(self, id_: str, ask: Callable[[Any], Any], sent: Sent) -> Reply:
        """A client for one request: it costs a hundredth of a second, and holds nothing until the next."""
        door, nobodys = Door(sent), cast(Any, object())  # tokens are asked for behind the door
        found = _ID.fullmatch(id_)
        assert found is not None, "the options take no other ids"
        client = NetworkManagementClient(
            nobodys,
            found[1],
            self._asking.sessions.get(self._asking.roles(self.region).watch).endpoint,
            policies=[],
            transport=door,
            authentication_policy=nobodys,
        )
        ask(client)
        assert door.reply is not None, "the package answers nothing by itself"
        return door.reply


def _named(id_: str) -> tuple[str, list[str], str, str]:
    """(resource group, names, operations, model) of an id."""
    found = _ID.fullmatch(id_)
    parts = found[3].split("/") if found else []
    operations, model = _TYPES["/".join(parts[::2]).lower()]
    return str(found[2]) if found else "", parts[1::2], operations, model
