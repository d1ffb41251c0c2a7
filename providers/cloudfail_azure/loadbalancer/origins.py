"""The origins of one origin group of Azure Front Door, as they were read, and what is to be written to each so that the
regions serve as they are asked to.

Which origin an edge asks is decided in this order ("Traffic routing methods to origin",
learn.microsoft.com/azure/frontdoor/routing-methods): those that are enabled and whose probe succeeds; of them those of
the best priority (1 is better than 5); of them those within the group's latency of the fastest; of them by weight.

So an origin is in one of three places. It *serves*: enabled, and nobody enabled has a better priority. It *stands by*:
enabled, at a worse priority; edges come to it by themselves once none better is well. Or it is *closed*: disabled, and
at the last priority. Closed is what an evacuation leaves, since no probe undoes it (invariant I8). The last priority is
for the API's own words of `enabledState`, "whether to enable health probes", which do not say that it closes: whichever
of the two texts holds, the one that was evacuated is behind the one that serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PERCENT, PER_PERCENT = 100, 10
# Of LoadBalancerState.weights, where the group routes by priority: it gets requests when nobody better is well.
STANDBY = 1
BEST, LAST = 1, 5
# The worst priority of one that serves: one that is closed is behind it, and one that stands by is between the two.
SERVING_MAX = 4
_WEIGHT = 1000  # what a portal writes; the reference names no default, and one that is not told is alike in all


@dataclass(frozen=True)
class Origin:
    """updating: an order is under way on it. failed: the last one failed, so that the edges' settings are not known.
    deploying: Azure says that not every edge has it."""

    enabled: bool
    priority: int
    weight: int
    updating: bool = False
    failed: bool = False
    deploying: bool = False

    @classmethod
    def told(cls, said: Mapping[str, Any]) -> Origin:
        """As the API has its `properties`. `deploymentStatus` is NotStarted also of one that every edge has (so in the
        reference's own examples, beside a `provisioningState` of Succeeded): it says nothing."""
        provisioning, deployment = _lower(said, "provisioningState"), _lower(said, "deploymentStatus")
        return cls(
            _lower(said, "enabledState") != "disabled",
            int(said.get("priority") or BEST),
            int(said.get("weight") or _WEIGHT),
            updating=provisioning in ("updating", "creating", "deleting"),
            failed=provisioning == "failed" or deployment == "failed",
            deploying=deployment == "inprogress",
        )

    @property
    def settings(self) -> tuple[bool, int, int]:
        """What a person or a tool writes, and not what Azure says of it."""
        return self.enabled, self.priority, self.weight


@dataclass(frozen=True)
class Order:
    """What is written to the origin of a region. rank: lower ones come first, so that at no moment nobody serves: what
    comes to stand by stays enabled, what gains traffic is enabled, and only then is closed what loses it."""

    region: str
    rank: int
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class Origins:
    """region -> its origin, and whether weights divide between those that serve."""

    by_region: Mapping[str, Origin]
    weighted: bool

    @property
    def best(self) -> int | None:
        """The priority of those that serve; None if nobody does."""
        return min((one.priority for one in self.by_region.values() if one.enabled), default=None)

    @property
    def weights(self) -> dict[str, int]:
        return {region: self.share(region) for region in self.by_region}

    @property
    def version(self) -> str:
        told = (f"{one.priority}.{one.weight}" if one.enabled else "off" for one in self.by_region.values())
        return "/".join(f"{region}={said}" for region, said in zip(self.by_region, told, strict=True))

    @property
    def updating(self) -> list[str]:
        return [region for region, one in self.by_region.items() if one.updating]

    @property
    def moving(self) -> str:
        """What is under way by itself, in words; "" if nothing is."""
        said = [f"the order on {region} is under way" for region in self.updating]
        said += [
            f"Azure says that its last order on {region} failed, and not what the edges have"
            for region, one in self.by_region.items()
            if one.failed
        ]
        said += [
            f"Front Door deploys {region} to its edges"
            for region, one in self.by_region.items()
            if one.deploying and not one.updating
        ]
        return "; ".join(said)

    def share(self, region: str) -> int:
        """In percent. What is open by a hair is not closed."""
        one = self.by_region[region]
        if not one.enabled:
            return 0
        if self.weighted:
            return max(1, min(PERCENT, round(one.weight / PER_PERCENT)))
        return PERCENT if one.priority == self.best else STANDBY

    def settings(self, region: str) -> tuple[bool, int, int]:
        return self.by_region[region].settings

    def stands_by(self, share: int) -> bool:
        return share == STANDBY and not self.weighted

    def orders(self, asked: Mapping[str, int]) -> list[Order]:
        """The fewest that make it so, in the order in which they are to be given. One that is enabled already serves
        where everything better is closed: that is one request, and not two."""
        serving = [region for region, share in asked.items() if share and not self.stands_by(share)]
        open_at = [self.by_region[region].priority for region in serving if self.by_region[region].enabled]
        behind = any(share and self.stands_by(share) for share in asked.values())
        level = min([*(open_at or [BEST]), SERVING_MAX - behind])
        found = [self._order(region, share, level) for region, share in asked.items()]
        return sorted((one for one in found if one is not None), key=lambda one: one.rank)

    def _order(self, region: str, share: int, level: int) -> Order | None:
        now = self.by_region[region]
        if not share:
            there = not now.enabled
            order = Order(region, 2, {"enabledState": "Disabled", "priority": LAST})
        elif self.stands_by(share):
            there = now.enabled and now.priority > level
            order = Order(region, 0, {"enabledState": "Enabled", "priority": now.priority if there else level + 1})
        else:
            there = now.enabled and now.priority == level and (not self.weighted or self.share(region) == share)
            weight = {"weight": share * PER_PERCENT} if self.weighted else {}
            order = Order(region, 1, {"enabledState": "Enabled", "priority": level, **weight})
        return None if there and not now.failed else order


def _lower(said: Mapping[str, Any], name: str) -> str:
    return str(said.get(name) or "").lower()
