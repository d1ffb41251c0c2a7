"""change: flag, and change: command. What holds deploys, schedulers and infrastructure tools in a region.

A flag is a file that those tools look at before they change anything: while it is there, they wait. It is created whole
or not at all (a link of a finished file), so that two runs never both believe that they made it, and it holds who made
it under which epoch. The newest epoch that touched it stays beside it, so that an older one is refused afterwards too.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from pathlib import Path

from cloudfail.errors import Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import ChangeState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_local.argv import Finished
from cloudfail_local.command import ending
from cloudfail_local.errors import from_command, from_os_error
from cloudfail_local.options import ChangeCommandOptions, ChangeMember, FlagOptions


class FlagChange:
    """A file per region."""

    def __init__(self, resource: Resource) -> None:
        directory = Path(FlagOptions.model_validate(dict(resource.options)).directory)
        self._directory = directory
        self._flags = {region: directory / str(name) for region, name in resource.members.items()}
        for flag in self._flags.values():
            if flag.parent != directory or flag.name.startswith("."):
                raise Permanent(f"{flag.name!r} is no name for a flag file.")

    def read(self, region: str) -> Known[ChangeState] | Unknown:
        at = time.time()
        flag = self._flags.get(region)
        if flag is None:
            return Unknown(f"there is no flag for {region}", at)
        try:
            if not self._directory.is_dir():
                return Unknown(f"{self._directory} is not there, so nobody looks at a flag in it", at)
            epoch = self._epoch(flag)
            try:
                text = flag.read_text(encoding="utf-8")
            except FileNotFoundError:
                return Known(ChangeState(False, "", f"thawed/{epoch}", epoch), at)
        except (OSError, ValueError) as error:
            return Unknown(f"{flag}: {error}", at)
        by = ""
        with contextlib.suppress(ValueError, AttributeError):
            by = str(json.loads(text).get("run", ""))
        return Known(ChangeState(True, by, f"frozen/{by}/{epoch}", epoch), at)

    def freeze(self, region: str, frozen: bool, *, expect: ChangeState, call: Call) -> None:
        flag = self._flags.get(region)
        if flag is None:
            raise Permanent(f"There is no flag for {region}.")
        seen = self.read(region)
        if isinstance(seen, Unknown):
            raise Transient(f"The flag cannot be read: {seen.reason}.")
        now = seen.value
        if now.epoch is not None and now.epoch > call.epoch:
            raise Conflict(f"Epoch {now.epoch} touched the flag of {region} after this run's, {call.epoch}.")
        if now.frozen == frozen:
            return
        if now.version != expect.version:
            raise Conflict(f"The flag of {region} is {now.version}, not {expect.version} as it was seen.")
        try:
            call.check()
            self._write_whole(self._beside(flag), str(call.epoch), replace=True)
            if frozen:
                body = json.dumps({"run": call.run, "epoch": call.epoch, "at": round(time.time(), 3)})
                self._write_whole(flag, body + "\n", replace=False)
            else:
                flag.unlink(missing_ok=True)
        except FileExistsError as error:
            raise Conflict(f"Another run made the flag of {region} first.") from error
        except OSError as error:
            raise from_os_error(error, sent=False, peer=str(flag)) from error

    @staticmethod
    def _beside(flag: Path) -> Path:
        return flag.with_name(f".{flag.name}.epoch")

    def _epoch(self, flag: Path) -> int | None:
        try:
            return int(self._beside(flag).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def _write_whole(self, path: Path, text: str, *, replace: bool) -> None:
        descriptor, name = tempfile.mkstemp(dir=self._directory, prefix=".part-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as part:
                part.write(text)
                part.flush()
                os.fsync(part.fileno())
            # Deploy tools run as other users than we do.
            os.chmod(name, 0o644)
            if replace:
                os.replace(name, path)
            else:
                os.link(name, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)


class CommandChange:
    """Commands of the site per region."""

    def __init__(self, resource: Resource) -> None:
        self._options = ChangeCommandOptions.model_validate(dict(resource.options))
        self._members = {region: ChangeMember.model_validate(member) for region, member in resource.members.items()}

    def read(self, region: str) -> Known[ChangeState] | Unknown:
        at = time.time()
        member = self._members.get(region)
        if member is None:
            return Unknown(f"there is no command for {region}", at)
        result = ending(member.read, seconds=float(self._options.answer_within))
        if isinstance(result, Finished) and result.code in (0, 1):
            frozen = result.code == 0
            return Known(ChangeState(frozen, result.out.strip()[:100] if frozen else "", str(frozen)), at)
        return Unknown(f"{region}: {result.said if isinstance(result, Finished) else result}", at)

    def freeze(self, region: str, frozen: bool, *, expect: ChangeState, call: Call) -> None:
        seen = self.read(region)
        if isinstance(seen, Unknown):
            raise Transient(f"What holds changes cannot be read: {seen.reason}.")
        if seen.value.frozen == frozen:
            return
        if seen.value.version != expect.version:
            raise Conflict(f"Changes in {region} are not held as they were seen.")
        member = self._members[region]
        call.check()
        done = ending(member.freeze if frozen else member.thaw, seconds=call.timeout_seconds)
        problem = from_command(done, f"{'freeze' if frozen else 'thaw'} in {region}")
        if problem is not None:
            raise problem


def build_flag(resource: Resource, topology: Topology) -> FlagChange:
    """Kind.build."""
    del topology
    return FlagChange(resource)


def build_command(resource: Resource, topology: Topology) -> CommandChange:
    """Kind.build."""
    del topology
    return CommandChange(resource)
