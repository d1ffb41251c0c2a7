"""Systems Manager's Run Command: documents that really run, each copy as a process in its instance's own directory.

As its documentation has it: a command is accepted at once and delivered later; an instance whose agent does not answer
within TimeoutSeconds never runs it (Delivery Timed Out); a command for tags that no instance has ends with Success and
ran nowhere (No Instances In Tag); there is no token, so that each SendCommand is another command. What a copy printed
comes with ListCommandInvocations, if Details are asked for.
"""

from __future__ import annotations

import datetime
import os
import subprocess
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.emulators.aws.asked import Asked
from tests.emulators.aws.standin import Hours, RealHours, Refused

RUN_SECONDS_MAX = 20.0
OUTPUT_MAX = 2500
_ENDED = {"Success", "Failed", "TimedOut", "Cancelled"}


@dataclass
class Instance:
    """`alive`: whether its agent takes what it is sent."""

    name: str
    place: Path
    tags: dict[str, str] = field(default_factory=dict)
    alive: bool = True


@dataclass
class Copy:
    instance: Instance
    status: str = "Pending"
    detail: str = "Pending"
    output: str = ""


@dataclass
class Sent:
    number: str
    region: str
    given: dict[str, Any]
    at: datetime.datetime
    copies: list[Copy]

    @property
    def status(self) -> str:
        said = {copy.status for copy in self.copies}
        if said - _ENDED:
            return "InProgress" if said - {"Pending"} else "Pending"
        return next((bad for bad in ("Failed", "TimedOut", "Cancelled") if bad in said), "Success")


class RunCommand:
    """The state machine of one account. `documents`: name -> a shell script, whose parameters are its environment.
    `delivery_seconds`: how long an agent takes to come for a command."""

    def __init__(self, hours: Hours | None = None) -> None:
        self.hours = hours or RealHours()
        self.documents: dict[str, str] = {}
        self.delivery_seconds = 0.05
        self.obeys = True
        self._instances: dict[tuple[str, str], Instance] = {}
        self._sent: list[Sent] = []
        self._lock = threading.RLock()

    def instance(self, region: str, name: str, place: Path, **tags: str) -> Instance:
        place.mkdir(parents=True, exist_ok=True)
        self._instances[region, name] = Instance(name, place, tags)
        return self._instances[region, name]

    def sent(self, document: str) -> list[Sent]:
        """Every command of that document, the oldest first."""
        return [one for one in self._sent if one.given["DocumentName"] == document]

    def send_command(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        if given["DocumentName"] not in self.documents:
            raise Refused("InvalidDocument", f"There is no document {given['DocumentName']}.")
        command = Sent(
            str(uuid.uuid4()),
            what.region,
            given,
            datetime.datetime.now(datetime.UTC),
            [Copy(instance) for instance in self._targets(given, what.region)],
        )
        with self._lock:
            self._sent.append(command)
        script = self.documents[given["DocumentName"]]
        for copy in command.copies:
            if copy.instance.alive:
                self.hours.at(self.delivery_seconds, lambda copy=copy: self._run(command, copy, script))  # type: ignore[misc]
            else:
                self.hours.at(given.get("TimeoutSeconds", 3600), lambda copy=copy: self._give_up(copy))  # type: ignore[misc]
        return {"Command": self._described(command)}

    def list_commands(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        wanted = {one["key"]: one["value"] for one in given.get("Filters", [])}
        assert set(wanted) <= {"DocumentName"}
        with self._lock:
            found = [
                self._described(one)
                for one in reversed(self._sent)
                if one.region == what.region
                and given.get("CommandId", one.number) == one.number
                and wanted.get("DocumentName", one.given["DocumentName"]) == one.given["DocumentName"]
            ]
        return self._page(found, "Commands", given)

    def list_command_invocations(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        with self._lock:
            found = [
                self._copied(one, copy, details=bool(given.get("Details")))
                for one in self._sent
                if one.region == what.region and given.get("CommandId", one.number) == one.number
                for copy in one.copies
            ]
        return self._page(found, "CommandInvocations", given)

    def _targets(self, given: dict[str, Any], region: str) -> list[Instance]:
        here = {name: one for (where, name), one in self._instances.items() if where == region}
        unknown = [name for name in given.get("InstanceIds", []) if name not in here]
        if unknown:
            raise Refused("InvalidInstanceId", f"{unknown} is not in a valid state for this account.")
        if "InstanceIds" in given:
            return [here[name] for name in given["InstanceIds"]]
        return [
            one
            for one in here.values()
            if all(one.tags.get(target["Key"].removeprefix("tag:")) in target["Values"] for target in given["Targets"])
        ]

    def _run(self, command: Sent, copy: Copy, script: str) -> None:
        copy.status = copy.detail = "InProgress"
        told = {key: " ".join(values) for key, values in command.given.get("Parameters", {}).items()}
        if not self.obeys and not script.startswith("# looks"):
            copy.status = copy.detail = "Success"
            return
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=copy.instance.place,
            env={**os.environ, **told},
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
        )
        copy.output = done.stdout[:OUTPUT_MAX]
        copy.status = copy.detail = "Success" if done.returncode == 0 else "Failed"

    def _give_up(self, copy: Copy) -> None:
        if copy.instance.alive or copy.status != "Pending":
            return
        copy.status, copy.detail = "TimedOut", "DeliveryTimedOut"

    def _described(self, one: Sent) -> dict[str, Any]:
        kept = {
            key: one.given[key]
            for key in ("DocumentName", "Comment", "Parameters", "TimeoutSeconds")
            if key in one.given
        }
        return {
            **kept,
            "CommandId": one.number,
            "InstanceIds": one.given.get("InstanceIds", []),
            "Targets": one.given.get("Targets", []),
            "RequestedDateTime": one.at,
            "Status": one.status,
            "StatusDetails": one.status if one.copies else "NoInstancesInTag",
            "TargetCount": len(one.copies),
            "CompletedCount": sum(copy.status in _ENDED for copy in one.copies),
            "ErrorCount": sum(copy.status == "Failed" for copy in one.copies),
        }

    @staticmethod
    def _copied(one: Sent, copy: Copy, *, details: bool) -> dict[str, Any]:
        plugin = (
            {"Name": "aws:runShellScript", "Status": copy.status, "Output": copy.output}
            if copy.status in _ENDED
            else None
        )
        return {
            "CommandId": one.number,
            "InstanceId": copy.instance.name,
            "DocumentName": one.given["DocumentName"],
            "Comment": one.given.get("Comment", ""),
            "RequestedDateTime": one.at,
            "Status": copy.status,
            "StatusDetails": copy.detail,
            **({"CommandPlugins": [plugin] if plugin and copy.status != "TimedOut" else []} if details else {}),
        }

    @staticmethod
    def _page(found: list[dict[str, Any]], key: str, given: dict[str, Any]) -> dict[str, Any]:
        start, size = int(given.get("NextToken") or 0), given.get("MaxResults", 50)
        more = {"NextToken": str(start + size)} if start + size < len(found) else {}
        return {key: found[start : start + size], **more}
