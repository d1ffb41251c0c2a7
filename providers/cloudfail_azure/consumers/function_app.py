"""consumers: function-app. One function of a function app in each region, or of a slot of one.

Off is the app's setting `AzureWebJobs.FUNCTION.Disabled`, by which the runtime leaves its trigger alone ("How to
disable functions in Azure Functions"). A queue keeps what such a trigger would take; what pushes (HTTP, Event Grid) is
refused meanwhile, and a timer does not ring. Whoever has the master key can still run it. The app restarts with each
change of a setting, with all its functions.

Whether it is off is read from the function (`isDisabled`), as the watch role, which so reads no secret. Settings hold
some. They are asked for by the execute role alone, within an open run, since `Update Application Settings` replaces all
of them: all go back as they came in the instant before, with the switch, and with the mark in the setting
`CLOUDFAIL.FUNCTION`, in one request. There is no condition: what somebody else sets in that instant is lost, so one
worker at a time changes an app, and deploys are frozen first. An answer that tells no setting at all is never believed.

On Linux a setting's name has no hyphen, so a function whose name has one cannot be disabled there (the same page); it
is refused beforehand.

An app that is stopped runs nothing, and is somebody else's decision: its function is off, and is never turned on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking
from cloudfail_azure.consumers.options import FunctionMember
from cloudfail_azure.paths import must_stand, name_of, parent_of, type_of
from cloudfail_consumers.switches import UNCHANGED, Switch, Switched

VERSION = "2025-05-01"
RUNNING = "Running"
_MARK = re.compile(r"app=(?P<app>\S+) epoch=(?P<epoch>\d+) run=\S+")
_UNFIT = re.compile(r"[^A-Za-z0-9_.:-]")


class FunctionApp(Switched[Asking]):
    """One function in each region."""

    @property
    def application(self) -> str:
        return _UNFIT.sub("-", self._asking.topology.application)

    def describe(self, region: str, *, within: float) -> Switch:
        until = self._asking.deadline(within)
        member: FunctionMember = self.member(region)
        told = self._asking.read(region, member.function, VERSION, within=within)
        disabled = (told.get("properties") or {}).get("isDisabled")
        if not isinstance(disabled, bool):
            raise Transient(f"Azure answers, and does not tell whether {member.function} is disabled.")
        app = parent_of(member.function)
        site = self._asking.read(region, app, VERSION, within=self._asking.left_until(until))
        location = str(site.get("location") or "")
        state = str((site.get("properties") or {}).get("state") or "")
        if not (location and state):
            raise Transient(f"Azure answers, and does not tell where {app} stands and whether it runs.")
        must_stand(member.function, region, location, self._asking.resource.name)
        said = ("disabled" if disabled else "enabled") + ("" if state == RUNNING else f", in an app that is {state}")
        return Switch(
            name=member.function,
            enabled=not disabled and state == RUNNING,
            version=said,
            said=said,
            raw={"app": app, "state": state, "linux": "linux" in str(site.get("kind", "")).lower()},
        )

    def refusal(self, region: str, seen: Switch, enabled: bool) -> CloudfailError | None:
        app = seen.raw["app"]
        if seen.raw["linux"] and "-" in name_of(seen.name):
            return Permanent(
                f"{seen.name} has a hyphen in its name, and on Linux Azure can disable no such function.",
                UNCHANGED,
                "Give the function another name, or stop what it is triggered by.",
            )
        if seen.raw["state"] == RUNNING:
            return None
        return Permanent(
            f"{app} is {seen.raw['state']}, which no run of cloudfail does: somebody, or Azure, stopped it.",
            UNCHANGED,
            f"See why, and then: az functionapp start --ids {app}",
        )

    def dangers(self, region: str, seen: Switch) -> tuple[str, ...]:
        """A setting that is not tied to its slot goes with the app when slots are swapped ("Azure Functions deployment
        slots"), and turns on what was off."""
        app = seen.raw["app"]
        site = parent_of(app) if type_of(app).lower() == "slots" else app
        if not self._asking.pages(region, f"{site}/slots", VERSION, within=_SLOTS_SECONDS):
            return ()
        told = self._asking.read(region, f"{site}/config/slotConfigNames", VERSION, within=_SLOTS_SECONDS)
        tied = (told.get("properties") or {}).get("appSettingNames") or ()
        switch = _switch(seen.name)
        if any(str(one).lower() == switch.lower() for one in tied):
            return ()
        value = "false" if seen.enabled else "true"
        tie = f"az functionapp config appsettings set --ids {app} --slot-settings {switch}={value}"
        return (f"{switch} is tied to no slot of {site}: a swap takes it along, and turns {seen.name} over. {tie}",)

    def turn(self, region: str, seen: Switch, enabled: bool, *, call: Call) -> None:
        timed, app = TimeLeft(call), seen.raw["app"]
        settings = self._settings(region, app, timed.rest())
        self._refuse_others(seen, settings, call)
        ours = {
            _switch(seen.name): "false" if enabled else "true",
            _mark(seen.name): f"app={self.application} epoch={call.epoch} run={_UNFIT.sub('-', call.run)[:80]}",
        }
        taken = {name.lower() for name in ours}
        body = {"properties": {**{key: one for key, one in settings.items() if key.lower() not in taken}, **ours}}
        self._asking.change(region, "PUT", f"{app}/config/appsettings", VERSION, call=timed.rest(), body=body)
        call.log(f"{seen.name} is {'enabled' if enabled else 'disabled'}; its app restarts")

    def _settings(self, region: str, app: str, call: Call) -> Mapping[str, Any]:
        """All of them, secrets included. It is asked as a change is, and changes nothing."""
        try:
            told = self._asking.change(region, "POST", f"{app}/config/appsettings/list", VERSION, call=call).body
        except OutcomeUnknown as error:
            raise Transient(f"The settings of {app} cannot be read: {error}") from error
        settings = told.get("properties")
        if not isinstance(settings, Mapping) or not settings:
            raise Transient(f"Azure answers, and tells no setting of {app}: written back, that would take all away.")
        return settings

    def _refuse_others(self, seen: Switch, settings: Mapping[str, Any], call: Call) -> None:
        name = _mark(seen.name)
        mark = _MARK.fullmatch(next((str(one) for key, one in settings.items() if key.lower() == name.lower()), ""))
        if mark is None:
            return
        if mark["app"] != self.application:
            raise Permanent(
                f"{seen.name} is turned on and off for the application {mark['app']}, and this is {self.application}.",
                UNCHANGED,
                f"Take it out of one of the two cloudfail.yaml; to take it over, delete its app's setting {name}.",
            )
        if int(mark["epoch"]) > call.epoch:
            raise Conflict(f"{seen.name} was changed under epoch {mark['epoch']}, and this is {call.epoch}.", UNCHANGED)


_SLOTS_SECONDS = 6.0


def _switch(function: str) -> str:
    return f"AzureWebJobs.{name_of(function)}.Disabled"


def _mark(function: str) -> str:
    return f"CLOUDFAIL.{name_of(function)}"


def build(resource: Resource, topology: Topology) -> FunctionApp:
    """Kind.build."""
    members = {region: FunctionMember.model_validate(member) for region, member in resource.members.items()}
    return FunctionApp(Asking.of(resource, topology), members)
