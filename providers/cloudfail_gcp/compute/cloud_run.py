"""compute: cloud-run. A service of Cloud Run, by its minimum of instances.

`wanted` is the minimum of the service (`scaling.minInstanceCount`), which takes effect without a new revision, and is
divided among the revisions that get requests (Cloud Run, "Set minimum instances for services"). In manual mode
(`scalingMode: MANUAL`) it is the number itself. Load makes more of them, up to the maximum: the service's own is raised
as far as needed, and goes back with the minimum by the run that raised it. A revision's own maximum is its template's,
and needs a new revision, which is not made in a failover: a count above it is refused.

The patch names the scaling and one annotation in its mask, and nothing else, under the etag that was seen: Cloud Run
refuses it where anything of the service was changed since (409 ABORTED). So an old call that lands late has no effect.

An operation that is done completes nothing. Counted is what the revisions that get requests have provisioned
(services.py), and it is healthy while the member's URL answers, if one is written. Google counts no instances one by
one: where a URL is left out, all of it is Google's word, and a runbook's `verify.users` must stand behind it.

Scale-in is not held. Cloud Run takes no instance below the minimum, tells of no number above it that a minimum could be
lifted to, and has no switch: `hold` is refused. In manual mode nothing is scaled in, and it counts as held.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.room import Room
from cloudfail.model.states import ComputeState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.compute import marks
from cloudfail_gcp.compute.marks import Before
from cloudfail_gcp.compute.options import CloudRunMember, region_at
from cloudfail_gcp.compute.run_quota import room_of, vcpus_of
from cloudfail_gcp.compute.services import MARKS, Service, provisioned, service_at
from cloudfail_gcp.errors import Answered
from cloudfail_gcp.long_running import taken
from cloudfail_gcp.paths import name_of

READ_SECONDS = 9.0
ROOM_SECONDS = 12.0
URL_SECONDS = 3.0
UNCHANGED = "Its scaling was not changed."


class CloudRun:
    """One service in each region."""

    def __init__(self, asking: Asking, members: Mapping[str, CloudRunMember]) -> None:
        self._asking = asking
        self._members = members
        for region, member in members.items():
            if region_at(member.service) != region:
                # The one slip that would scale the region that is lost.
                raise Permanent(
                    f"The service {member.service} that is written for {region} stands in {region_at(member.service)}.",
                    "Nothing was changed.",
                    f"Correct the members of {asking.resource.name} in cloudfail.yaml.",
                )

    def read(self, region: str) -> Known[ComputeState] | Unknown:
        at = time.time()
        until = self._asking.deadline(READ_SECONDS)
        try:
            member = self._member(region)
            service = service_at(self._asking, member.service, within=READ_SECONDS)
            running, ready = provisioned(self._asking, service, within=self._asking.left_until(until))
            healthy = ready if not ready or member.url is None or self._answers(region, member.url) else 0
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        state = ComputeState(
            wanted=service.wanted,
            running=running,
            healthy=healthy,
            ceiling=service.ceiling,
            scale_in_held=service.manual,
            version=service.etag,
            epoch=service.marks.epoch,
        )
        return Known(state, at)

    def room(self, region: str) -> Known[Room] | Unknown:
        """ports.HasRoom."""
        at = time.time()
        until = self._asking.deadline(ROOM_SECONDS)
        try:
            service = service_at(self._asking, self._member(region).service, within=READ_SECONDS)
            own, _ = provisioned(self._asking, service, within=self._asking.left_until(until))
            project, each = service.path.split("/")[1], vcpus_of(service.template)
            left = self._asking.left_until(until)
            return Known(room_of(self._asking, project, region, each, own, within=left), at)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)

    def scale(self, region: str, count: int, *, expect: ComputeState, call: Call) -> None:
        if count < 0:
            raise Permanent(f"{count} workers cannot be run.", UNCHANGED)
        time_left = TimeLeft(call)
        service = self._look(region, time_left)
        if service.wanted == count:
            return
        _may(service, expect, call)
        if not service.manual and 0 < service.most_of_revision < count:
            raise Permanent(
                f"Each revision of {service.path} has a maximum of {service.most_of_revision}, and {count} are wanted.",
                UNCHANGED,
                f"To raise it makes a new revision, so it is done on a calm day: gcloud run services update "
                f"{name_of(service.path)} --region {region} --max-instances {count}",
            )
        most, before = sized(service, count, call.run)
        noted = replace(service.marks, text="", epoch=call.epoch, before=before)
        body: dict[str, Any] = {
            "etag": expect.version,
            "scaling": {service.lever: count},
            "annotations": {**service.annotations, MARKS: str(noted)},
        }
        mask = [f"scaling.{service.lever}", "annotations"]
        if most != service.most:
            mask.append("scaling.maxInstanceCount")
            body["scaling"] |= {"maxInstanceCount": most} if most else {}
        self._patch(region, service, body, mask, time_left)
        call.log(f"{service.path}: {'exactly' if service.manual else 'at least'} {count} wanted")

    def hold(self, region: str, held: bool, *, expect: ComputeState, call: Call) -> None:
        del expect
        service = self._look(region, TimeLeft(call))
        if service.manual == held:
            return
        if held:
            raise Permanent(
                f"Scale-in of {service.path} cannot be held: Cloud Run tells no number that it could be held at.",
                UNCHANGED,
                "Take the step out of the runbook: no instance is taken below the minimum that compute.scale sets.",
            )
        raise Permanent(
            f"{service.path} is scaled by hand, and not by cloudfail.",
            UNCHANGED,
            f"If that is over: gcloud run services update {name_of(service.path)} --region {region} --scaling=auto",
        )

    def _patch(
        self, region: str, service: Service, body: Mapping[str, Any], mask: list[str], time_left: TimeLeft
    ) -> None:
        what = f"PATCH {service.path}"
        try:
            reply = self._asking.change(
                "run",
                region,
                "PATCH",
                f"v2/{service.path}",
                call=time_left.rest(),
                query={"updateMask": ",".join(mask)},
                body=body,
            )
        except Conflict as error:
            if isinstance(error.__cause__, Answered) and error.__cause__.said.code == "ALREADY_EXISTS":
                # The template names its revision, and Google would make it anew (google-cloud-python, issue 14259).
                raise Permanent(
                    str(error),
                    UNCHANGED,
                    f"Deploy {name_of(service.path)} without a name for its revision; then its scaling can be changed.",
                ) from error
            raise
        taken(reply, what)

    def _answers(self, region: str, url: str) -> bool:
        """Data plane: one GET from here. Raises Transient where that is our own trouble."""
        from cloudfail.probes.serves import serves

        reached = serves(url, within_seconds=URL_SECONDS)
        if isinstance(reached, Unknown):
            raise Transient(f"Whether it serves in {region} is not known: {reached.reason}")
        return bool(reached.value.answers)

    def _member(self, region: str) -> CloudRunMember:
        if region not in self._members:
            raise Transient(f"{self._asking.resource.name} has no member in {region}.")
        return self._members[region]

    def _look(self, region: str, time_left: TimeLeft) -> Service:
        """As it is immediately before the change: whatever came of this look, nothing was changed."""
        try:
            path = self._member(region).service
            return service_at(self._asking, path, within=min(READ_SECONDS, time_left.seconds))
        except Permanent:
            raise
        except CloudfailError as error:
            raise Transient(f"The service in {region} cannot be read: {error}") from error


def _may(service: Service, expect: ComputeState, call: Call) -> None:
    """Raise Conflict where the world is not as it was seen, or a newer lease was here."""
    if service.marks.epoch is not None and service.marks.epoch > call.epoch:
        raise Conflict(f"{service.path} was changed under epoch {service.marks.epoch}, and this is {call.epoch}.")
    if service.etag != expect.version:
        raise Conflict(f"{service.path} is not as it was seen: its etag is another.")


def sized(service: Service, count: int, run: str) -> tuple[int, Before | None]:
    """The service's own maximum with `count` as the minimum (0: none), and what is to be noted as having stood
    before."""
    word, before = marks.run_word(run), service.marks.before
    if before is not None and before.run != word:
        before = None
    most = 0 if not service.most else max(service.most, count)
    if service.manual:
        return service.most, before
    if count > service.wanted:
        return most, before or Before(word, service.wanted, service.most)
    if before is not None and before.floor == count:
        return before.ceiling and max(before.ceiling, count), None
    return most, before


def build(resource: Resource, topology: Topology) -> CloudRun:
    """Kind.build."""
    members = {region: CloudRunMember.model_validate(member) for region, member in resource.members.items()}
    return CloudRun(Asking.of(resource, topology), members)
