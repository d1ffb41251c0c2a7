"""A bundle: the files of one application in one file, which a person signs and runners insist on.

    cloudfail bundle write --serial 7 --output shop.bundle
    ssh-keygen -Y sign -n bundle@cloudfail -f KEY shop.bundle        (makes shop.bundle.sig)

Whoever can write to the disk, the image or the archive of a runner could else change a runbook or a command in
cloudfail.yaml. The signature is over the bytes of the file and is checked before a byte of them is parsed. The serial
number only grows: the log remembers the highest that was used, so that an older bundle, which was signed too, is not
put back. The same files and the same serial give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudfail import config
from cloudfail.errors import Refused
from cloudfail.signing import AllowedSigners, Namespace, verify

if TYPE_CHECKING:
    from cloudfail.config.loaded import Loaded
    from cloudfail.ports import Provider

FORMAT = 1
BYTES_MAX = 32 << 20
TOPOLOGY = "cloudfail.yaml"
PACKED, PACKED_SIGNERS = "cloudfail.bundle", "cloudfail.signers"
"""Its name, and that of who may sign it, at the root of a function's archive; the signature is cloudfail.bundle.sig."""
SAMPLE = "bundle"
"""Under which word the log remembers the newest bundle that was used."""
SERIAL_MAX = 2**53
_RUNBOOK = re.compile(r"runbooks/[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}\.yaml")
NOTHING = "Nothing was looked at, and nothing was changed."


@dataclass(frozen=True)
class Bundle:
    """The files of a bundle whose signature held. `digest`: SHA-256 of its bytes. `signer`: whom the list names."""

    application: str
    serial: int
    files: Mapping[str, str]
    digest: str
    signer: str

    def load(self, providers: Mapping[str, Provider] | None = None) -> Loaded:
        """The model. Raises ConfigError, as for files; Refused where it is another application's."""
        runbooks = [name for name in self.files if name != TOPOLOGY]
        contents = {name: text.encode() for name, text in self.files.items()}
        loaded = config.load(TOPOLOGY, runbooks, providers, contents)
        if loaded.topology.application != self.application:
            raise Refused(
                f"The bundle says that it is {self.application}'s, and its cloudfail.yaml says "
                f"{loaded.topology.application}.",
                NOTHING,
                "Write it anew: cloudfail bundle write",
            )
        return loaded

    def refuse_if_older(self, samples: Mapping[str, Any]) -> bool:
        """Raises Refused if the log remembers a newer one, or other files under this serial. Returns whether it is to
        be remembered now."""
        seen = samples.get(SAMPLE)
        if not seen:
            return True
        serial, digest = int(seen["serial"]), str(seen["digest"])
        if self.serial < serial:
            raise Refused(
                f"This bundle of {self.application} has the serial {self.serial}, and {serial} was in use already.",
                NOTHING,
                f"Give this runner the newest bundle; to go back to older files, sign them under {serial + 1}: "
                f"cloudfail bundle write --serial {serial + 1} --output FILE",
            )
        if self.serial == serial and self.digest != digest:
            raise Refused(
                f"This bundle of {self.application} has the serial {self.serial}, and so had another one.",
                NOTHING,
                f"Find out which is meant, and sign it anew: cloudfail bundle write --serial {serial + 1} "
                "--output FILE",
            )
        return self.serial > serial

    @property
    def sample(self) -> dict[str, Any]:
        """What the log keeps of it."""
        return {SAMPLE: {"serial": self.serial, "digest": self.digest, "signer": self.signer}}


def written(topology: Path, runbooks: list[Path], serial: int, loaded: Loaded) -> bytes:
    """The bundle's bytes, of files that were loaded without a mistake. Raises Refused where it could not be read back
    as the same files."""
    files = {TOPOLOGY: _text(topology)}
    for path in runbooks:
        name = f"runbooks/{path.name}"
        if not _RUNBOOK.fullmatch(name) or name in files:
            raise Refused(
                f"{path} cannot be put into a bundle under the name {name}.",
                "No bundle was written.",
                "Give each runbook a file name of its own, of letters, digits, `_`, `.` and `-`, ending in .yaml.",
            )
        files[name] = _text(path)
    if not 0 < serial < SERIAL_MAX:
        raise Refused(
            f"{serial} is no serial number.", "No bundle was written.", "Write --serial 1, and one more each time."
        )
    document = {"format": FORMAT, "application": loaded.topology.application, "serial": serial, "files": files}
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def opened(path: Path, signers: Path, at: float) -> Bundle:
    """The bundle at `path`, if PATH.sig is the signature of somebody in `signers`, as of wall time `at`. If not, raises
    Refused before anything inside was parsed."""
    raw = _read(path, BYTES_MAX, "Set CLOUDFAIL_BUNDLE to the file that `cloudfail bundle write` made.")
    listed = _read(signers, BYTES_MAX, "Set CLOUDFAIL_SIGNERS to a file of allowed signers (see ssh-keygen(1)).")
    armor = _read(
        Path(f"{path}.sig"), 1 << 20, f"Sign the bundle: ssh-keygen -Y sign -n {Namespace.BUNDLE} -f KEY {path}"
    )
    allowed = AllowedSigners.parse(listed.decode(errors="replace"))
    signer = verify(raw, armor.decode(errors="replace"), Namespace.BUNDLE, allowed, at)
    return _parsed(raw, str(signer))


def _parsed(raw: bytes, signer: str) -> Bundle:
    try:
        document = json.loads(raw)
        files = document["files"]
        serial, application = document["serial"], document["application"]
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']!r}, and this version reads {FORMAT}")
        if not isinstance(serial, int) or not 0 < serial < SERIAL_MAX or not isinstance(application, str):
            raise ValueError("its serial or its application is none")
        if TOPOLOGY not in files or not all(name == TOPOLOGY or _RUNBOOK.fullmatch(name) for name in files):
            raise ValueError(f"it holds other files than {TOPOLOGY} and runbooks/NAME.yaml")
        if not all(isinstance(text, str) for text in files.values()):
            raise ValueError("a file in it is no text")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(
            f"{signer} signed something that is no bundle: {type(error).__name__} {error}.",
            NOTHING,
            "Write it with: cloudfail bundle write",
        ) from error
    return Bundle(application, serial, files, hashlib.sha256(raw).hexdigest(), signer)


def _read(path: Path, most: int, to_do: str) -> bytes:
    try:
        with path.open("rb") as opened_file:
            raw = opened_file.read(most + 1)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}.", NOTHING, to_do) from error
    if len(raw) > most:
        raise Refused(f"{path} is larger than {most >> 20} MB.", NOTHING, to_do)
    return raw


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} cannot be read: {error}.", "No bundle was written.", "Check the file.") from error
