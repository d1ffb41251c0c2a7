"""ARC zonal shift: traffic of a load balancer moved away from one zone, for a while.

As its documentation has it: a shift has an end, at most 72 hours away, and may be cancelled or given another end; a
resource has at most one at a time, and refuses another with ConflictException, which names the one that is; the zone
is named by its id. Whether the load balancer obeys is another matter: `obeys` off leaves the weights as they were,
while the shift is active.
"""

from __future__ import annotations

import datetime
import itertools
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.aws.asked import Asked
from tests.emulators.aws.standin import Hours, RealHours, Refused

SECONDS_MAX = 72 * 3600


@dataclass
class Shift:
    number: str
    resource: str
    away_from: str
    comment: str
    started: float
    ends: float
    cancelled: bool = False
    sort: str = "ZONAL_SHIFT"


@dataclass
class Managed:
    """A resource, the ids of its zones, and whether it does as it is told. autoshifted: the zone that AWS moves traffic
    away from by itself; a shift that somebody ordered goes before it."""

    arn: str
    zones: tuple[str, ...]
    obeys: bool = True
    autoshift: bool = False
    autoshifted: str = ""
    shifts: list[Shift] = field(default_factory=list)

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]


class ZonalShifts:
    """The state machine of one account, in all regions."""

    def __init__(self, hours: Hours | None = None) -> None:
        self.hours = hours or RealHours()
        # Our clock's zero on the calendar.
        self._origin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=self.hours.boot())
        self._resources: dict[str, Managed] = {}
        self._numbers = itertools.count(1)

    def resource(self, arn: str, *zones: str) -> Managed:
        """A load balancer that can be shifted."""
        self._resources[arn] = Managed(arn, zones)
        return self._resources[arn]

    def weights(self, arn: str) -> dict[str, float]:
        """What the load balancer does: 0 for a zone that gets no traffic."""
        one = self._resources[arn]
        active = self._active(one)
        away = active.away_from if active and one.obeys else one.autoshifted
        return {zone: 0.0 if zone == away else 1.0 for zone in one.zones}

    def start_zonal_shift(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        one = self._find(given["resourceIdentifier"], what)
        if given["awayFrom"] not in one.zones:
            raise Refused("ValidationException", f"{one.arn} is not in {given['awayFrom']}.", reason="InvalidAz")
        seconds = _seconds(given["expiresIn"])
        active = self._active(one)
        if active is not None:
            raise Refused(
                "ConflictException",
                f"{one.arn} is shifted already.",
                reason="ZonalShiftAlreadyExists",
                zonalShiftId=active.number,
            )
        now = self.hours.boot()
        number = f"{next(self._numbers):08d}-0000-0000-0000-000000000000"
        shift = Shift(number, one.arn, given["awayFrom"], given["comment"], now, now + seconds)
        one.shifts.append(shift)
        return self._described(shift)

    def update_zonal_shift(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        shift = self._open(given["zonalShiftId"], what)
        if "expiresIn" in given:
            shift.ends = self.hours.boot() + _seconds(given["expiresIn"])
        shift.comment = given.get("comment", shift.comment)
        return self._described(shift)

    def cancel_zonal_shift(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        shift = self._open(given["zonalShiftId"], what)
        shift.cancelled = True
        return self._described(shift)

    def list_zonal_shifts(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        found = [
            self._described(shift)
            for one in self._resources.values()
            if one.region == what.region and given.get("resourceIdentifier", one.arn) == one.arn
            for shift in one.shifts
        ]
        found = [shift for shift in found if given.get("status", shift["status"]) == shift["status"]]
        start, size = int(given.get("nextToken", "0")), given.get("maxResults", 100)
        more = {"nextToken": str(start + size)} if start + size < len(found) else {}
        return {"items": found[start : start + size], **more}

    def get_managed_resource(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        one = self._find(given["resourceIdentifier"], what)
        active = self._active(one)
        shifts = []
        if active is not None:
            shifts = [{**self._described(active), "appliedStatus": "APPLIED", "shiftType": active.sort}]
            del shifts[0]["status"]
        now = self._origin + datetime.timedelta(seconds=self.hours.boot())
        away = {"appliedStatus": "NOT_APPLIED" if active else "APPLIED", "awayFrom": one.autoshifted, "startTime": now}
        return {
            "arn": one.arn,
            "name": one.arn.rpartition(":")[2],
            "appliedWeights": self.weights(one.arn),
            "zonalShifts": shifts,
            "autoshifts": [away] if one.autoshifted else [],
            "zonalAutoshiftStatus": "ENABLED" if one.autoshift else "DISABLED",
        }

    def _find(self, arn: str, what: Asked) -> Managed:
        one = self._resources.get(arn)
        if one is None or one.region != what.region:
            raise Refused("ResourceNotFoundException", f"There is no {arn} in {what.region}.")
        return one

    def _open(self, number: str, what: Asked) -> Shift:
        """The shift of that number, which must be active."""
        for one in self._resources.values():
            for shift in one.shifts:
                if shift.number == number and one.region == what.region:
                    if self._status(shift) != "ACTIVE":
                        raise Refused(
                            "ConflictException",
                            f"{number} is {self._status(shift)}.",
                            reason="ZonalShiftStatusNotActive",
                            zonalShiftId=number,
                        )
                    return shift
        raise Refused("ResourceNotFoundException", f"There is no zonal shift {number} in {what.region}.")

    def _active(self, one: Managed) -> Shift | None:
        return next((shift for shift in one.shifts if self._status(shift) == "ACTIVE"), None)

    def _status(self, shift: Shift) -> str:
        if shift.cancelled:
            return "CANCELED"
        return "ACTIVE" if self.hours.boot() < shift.ends else "EXPIRED"

    def _described(self, shift: Shift) -> dict[str, Any]:
        return {
            "zonalShiftId": shift.number,
            "resourceIdentifier": shift.resource,
            "awayFrom": shift.away_from,
            "startTime": self._origin + datetime.timedelta(seconds=shift.started),
            "expiryTime": self._origin + datetime.timedelta(seconds=shift.ends),
            "status": self._status(shift),
            "comment": shift.comment,
        }


def _seconds(expires_in: str) -> int:
    seconds = int(expires_in[:-1]) * (3600 if expires_in.endswith("h") else 60)
    if seconds > SECONDS_MAX:
        raise Refused("ValidationException", "A zonal shift ends within 72 hours.", reason="InvalidExpiresIn")
    return seconds
