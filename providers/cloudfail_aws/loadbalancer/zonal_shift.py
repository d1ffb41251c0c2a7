"""loadbalancer: zonal-shift. Traffic of one load balancer, moved away from one zone of its region (ARC).

For an application whose regions in cloudfail.yaml are zones (`scope: site`). A zone's weight is 0 while a shift of ours
moves traffic away from it, and 100 otherwise; there is nothing between. ARC takes one shift for a load balancer at a
time, so of three zones two cannot be left.

A shift ends by itself, at the latest after three days (API reference, StartZonalShift: expiresIn): it is no latch. One
that ends within ten minutes counts as none, so that whoever keeps the state (a run, and for a while the watch behind
it) orders it again, which here renews it. After that nobody does.

Three others hold the same lever: AWS's autoshift and its practice runs, and whoever starts a shift by hand. A shift is
ours by its comment, which carries the epoch; others' are named, and never cancelled. What the load balancer does is
what `appliedWeights` says, not that a shift is active: until both agree, the change is on its way.

Cancel and start are two requests, and there is no condition but "one at a time": what lands late is repaired by
watching.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LoadBalancerState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking
from cloudfail_aws.loadbalancer.options import ZONE, region_of
from cloudfail_names.weights import UNCHANGED, wanted

SERVICE = "arc-zonal-shift"
READ_SECONDS = 8.0
RENEW_SECONDS = 600.0
WEIGHT_MAX = 100
COMMENT_MAX = 128
_OURS = re.compile(r"^cloudfail (\S+) epoch (\d{1,18}) ")


@dataclass(frozen=True)
class _Shift:
    """One that is active. epoch: ours, by its comment; None for somebody else's."""

    number: str
    zone: str
    ends_at: float
    comment: str
    sort: str
    epoch: int | None

    @property
    def owner(self) -> str:
        if self.sort == "PRACTICE_RUN":
            return "AWS's practice run"
        if self.sort == "FIS_EXPERIMENT":
            return "an experiment of FIS"
        return f"somebody else's shift {self.number} ({self.comment or 'without a comment'})"


@dataclass(frozen=True)
class _Seen:
    """ours, others: the shifts that are active. autoshifts: zones that AWS moves traffic away from by itself. applied:
    zone -> whether the load balancer sends traffic there."""

    ours: _Shift | None
    others: tuple[_Shift, ...]
    autoshifts: tuple[str, ...]
    applied: Mapping[str, bool]

    @property
    def version(self) -> str:
        active = [one for one in (self.ours, *self.others) if one is not None]
        return "/".join(f"{one.number}={one.zone}@{one.ends_at:.0f}" for one in active) or "none"


class ZonalShift:
    """One load balancer; a member is the id of the zone that a region of cloudfail.yaml is."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        options = asking.resource.options
        self._arn = str(options["load_balancer"])
        self._region = region_of(self._arn)
        self._expires_in = f"{math.ceil(float(options['expires_in']) / 60)}m"
        self._zones = {region: str(zone) for region, zone in asking.resource.members.items()}
        for region, zone in self._zones.items():
            if not ZONE.fullmatch(zone):
                raise Permanent(
                    f"{zone!r}, which is written for {region}, is no zone's id.",
                    UNCHANGED,
                    "Write use1-az1, say: a zone's name (us-east-1a) is another place in each account.",
                )
        if len(set(self._zones.values())) != len(self._zones):
            raise Permanent(f"Two members of {asking.resource.name} are the same zone.", UNCHANGED)

    def read(self) -> Known[LoadBalancerState] | Unknown:
        until = self._asking.deadline(READ_SECONDS)
        try:
            seen = self._look(until)
        except CloudfailError as error:
            return Unknown(str(error), self._asking.wall())
        now = self._asking.wall()
        left = seen.ours.zone if seen.ours is not None and seen.ours.ends_at - now > RENEW_SECONDS else ""
        state = LoadBalancerState(
            {region: 0 if zone == left else WEIGHT_MAX for region, zone in self._zones.items()},
            {},
            seen.version,
            seen.ours.epoch if seen.ours is not None else None,
            moving=self._moving(seen),
        )
        return Known(state, now)

    def _moving(self, seen: _Seen) -> str:
        """Where the load balancer does otherwise than our shift (or that there is none) says; "" where it does not."""
        for region, zone in self._zones.items():
            left = seen.ours is not None and seen.ours.zone == zone
            if left and seen.applied[zone]:
                return f"ARC has the shift away from {region}, and the load balancer still sends traffic there"
            if not left and not seen.applied[zone]:
                return f"{self._keeper(seen, zone)} keeps traffic away from {region}"
        return ""

    @staticmethod
    def _keeper(seen: _Seen, zone: str) -> str:
        if zone in seen.autoshifts:
            return "AWS's autoshift"
        return next((one.owner for one in seen.others if one.zone == zone), "a shift that is ending")

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        asked = wanted(weights, self._zones, most=WEIGHT_MAX, what=self._asking.resource.name)
        away = [region for region, weight in asked.items() if weight == 0]
        if len(away) > 1:
            raise Permanent(
                f"A load balancer is shifted away from one zone at a time, and not from {' and '.join(away)}.",
                UNCHANGED,
                "Drain one zone: traffic.drain, with its name.",
            )
        if len({weight for weight in asked.values() if weight}) > 1:
            raise Permanent(f"Zones are in or out, and have no shares: {dict(asked)}.", UNCHANGED)
        zone = self._zones[away[0]] if away else ""
        until = self._asking.deadline(call.timeout_seconds)
        seen = self._look(until)
        if seen.ours is not None and (seen.ours.epoch or 0) > call.epoch:
            raise Conflict(f"{seen.ours.number} was ordered under a newer lease than {call.epoch}.", UNCHANGED)
        if zone == (seen.ours.zone if seen.ours is not None else "") and not self._ends_soon(seen):
            return
        if seen.version != expect.version:
            raise Conflict(f"The shifts of {self._arn} are not those that were seen.", UNCHANGED)
        if zone and seen.ours is None and seen.others:
            other = seen.others[0]
            raise Permanent(
                f"{other.owner[:1].upper()}{other.owner[1:]} moves traffic away from {other.zone} already, "
                "and there can be one at a time.",
                UNCHANGED,
                f"See whose it is: aws {SERVICE} list-zonal-shifts --region {self._region} --status ACTIVE",
            )
        self._order(seen.ours, zone, call, until)

    def _order(self, ours: _Shift | None, zone: str, call: Call, until: float) -> None:
        """Cancel first where another zone is to be left: in between all zones get traffic."""
        comment = f"cloudfail {self._asking.topology.application} epoch {call.epoch} run {call.run}"[:COMMENT_MAX]
        timed = {"expiresIn": self._expires_in, "comment": comment}
        if ours is not None and ours.zone == zone:
            self._change("update_zonal_shift", call, until, zonalShiftId=ours.number, **timed)
            return
        if ours is not None:
            self._change("cancel_zonal_shift", call, until, zonalShiftId=ours.number)
        if not zone:
            return
        try:
            self._change("start_zonal_shift", call, until, resourceIdentifier=self._arn, awayFrom=zone, **timed)
        except (Transient, Permanent, Conflict) as error:
            if ours is None:
                raise
            raise OutcomeUnknown(f"{ours.number} was cancelled, and no other was begun: {error.happened}") from error

    def _ends_soon(self, seen: _Seen) -> bool:
        return seen.ours is not None and seen.ours.ends_at - self._asking.wall() <= RENEW_SECONDS

    def _change(self, operation: str, call: Call, until: float, **parameters: Any) -> None:
        left = replace(call, timeout_seconds=self._asking.left_until(until))
        self._asking.change(SERVICE, self._region, operation, call=left, **parameters)

    def _look(self, until: float) -> _Seen:
        told = self._asking.read(
            SERVICE,
            self._region,
            "get_managed_resource",
            within=self._asking.left_until(until),
            resourceIdentifier=self._arn,
        )
        try:
            return self._read_of(told)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Transient(f"What ARC told of {self._arn} cannot be read: {type(error).__name__}.") from error

    def _read_of(self, told: Mapping[str, Any]) -> _Seen:
        applied = {str(zone): float(weight) > 0 for zone, weight in (told.get("appliedWeights") or {}).items()}
        missing = [zone for zone in self._zones.values() if zone not in applied]
        if missing:
            known = ", ".join(sorted(applied)) or "none"
            raise Transient(f"ARC tells nothing of {self._arn} in {', '.join(missing)}; its zones there are: {known}.")
        shifts = [self._told(one) for one in told.get("zonalShifts") or []]
        return _Seen(
            ours=next((one for one in shifts if one.epoch is not None), None),
            others=tuple(one for one in shifts if one.epoch is None),
            autoshifts=tuple(str(one["awayFrom"]) for one in told.get("autoshifts") or []),
            applied=applied,
        )

    def _told(self, shift: Mapping[str, Any]) -> _Shift:
        comment, sort = str(shift.get("comment", "")), str(shift.get("shiftType", "ZONAL_SHIFT"))
        found = _OURS.match(comment)
        ours = found is not None and found[1] == self._asking.topology.application and sort == "ZONAL_SHIFT"
        expiry: datetime.datetime = shift["expiryTime"]
        return _Shift(
            number=str(shift["zonalShiftId"]),
            zone=str(shift["awayFrom"]),
            ends_at=expiry.replace(tzinfo=expiry.tzinfo or datetime.UTC).timestamp(),
            comment=comment,
            sort=sort,
            epoch=int(found[2]) if ours and found is not None else None,
        )


def build(resource: Resource, topology: Topology) -> ZonalShift:
    """Kind.build."""
    return ZonalShift(Asking.of(resource, topology))
