"""What the configuration says of anchors, and what stands in their places."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudfail.approval import Approvers
from cloudfail.audit import Verdict, judge
from cloudfail.config.loaded import Loaded
from cloudfail.errors import Refused, StoreUnavailable
from cloudfail.execution.state import LogState
from cloudfail.model.anchor import Anchor, log_of, split
from cloudfail.model.topology import Audit
from cloudfail.ports import StoredEntry
from cloudfail.proof import Seen
from cloudfail.signing import AllowedSigners, BadSignature, Namespace, verify
from cloudfail.stores import open_store


@dataclass(frozen=True)
class Keys:
    """What anchors are signed with (a private key's text), and whose are believed. Both are asked for when there is
    something to sign, and raise Refused where they are not to be had."""

    private: Callable[[], str]
    allowed: Callable[[], AllowedSigners]


def checked(application: str, place: str, stored: StoredEntry, allowed: AllowedSigners) -> Seen:
    """One anchor as it stands in a place, and whether it is one. Whether its key was valid is asked as of when the
    place took it, by the place's own clock; where that has none, by the signer's."""
    try:
        anchor, payload, signature = split(stored.body)
    except ValueError as error:
        return Seen(place, stored.seq, problem=f"it cannot be read ({error}).")
    if anchor.application != application:
        return Seen(place, stored.seq, anchor, problem=f"it is one of {anchor.application}.")
    try:
        signer = verify(payload, signature, Namespace.ANCHOR, allowed, stored.at or anchor.at)
    except BadSignature as error:
        return Seen(place, stored.seq, anchor, problem=error.happened)
    return Seen(place, stored.seq, anchor, str(signer))


def audited(loaded: Loaded, bodies: Sequence[tuple[int, bytes]], heads: Sequence[Anchor] = ()) -> Verdict:
    """The verdict on a log, given as its stored bodies with their numbers, by what anchors there are. `heads` are those
    that somebody kept by hand. Raises Refused for a list of signers that cannot be read."""
    application, audit = loaded.topology.application, loaded.topology.audit
    seen = [Seen("the head that was given", 0, head) for head in heads]
    read: list[str] = []
    unread: dict[str, str] = {}
    if audit is not None:
        allowed = signers_of(audit, folder_of(loaded))
        for url in audit.anchors:
            label = label_of(url)
            try:
                stored = open_store(url).read(log_of(application), 0)
            except (Refused, StoreUnavailable) as error:
                unread[label] = str(error)
                continue
            read.append(label)
            seen += [checked(application, label, one, allowed) for one in stored]
    approvers = Approvers.of(application, loaded.topology.policy.approvers)
    return judge(application, bodies, seen, read, unread, LogState(approvers=approvers))


# ---- what the configuration says


def folder_of(loaded: Loaded) -> Path:
    return Path(loaded.topology_file.file).parent


def label_of(url: str) -> str:
    """A place as it is spoken of; without what stands behind the question mark."""
    return url.partition("?")[0]


def key_text(reference: str, folder: Path) -> str:
    """What `env:NAME` or `file:PATH` holds. Raises Refused, which names the place and never the key."""
    where, _, name = reference.partition(":")
    if where == "env":
        if name not in os.environ:
            raise Refused(
                f"The environment variable {name}, which holds the key that signs anchors, is not set here.",
                "No anchor is made by this process; the log and the run are as they would be.",
                "Whoever has the key makes up for it with the next tick or command; see docs/audit.md.",
            )
        return os.environ[name]
    return _text(folder / name, "holds the key that signs anchors")


def signers_of(audit: Audit, folder: Path) -> AllowedSigners:
    return AllowedSigners.parse(_text(folder / audit.signers, "says who may sign anchors"))


def _text(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Refused(
            f"The file {path}, which {what}, cannot be read: {reason}.",
            "Nothing was signed or checked.",
            "Put it there, or name another one under audit: in cloudfail.yaml.",
        ) from None
