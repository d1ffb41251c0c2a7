"""What one application's files ask of its archive; and what in them a function could not serve."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from pathlib import Path, PurePosixPath

from cloudfail import config as configuration
from cloudfail.actions.catalog import ACTIONS
from cloudfail.bundle import PACKED, PACKED_SIGNERS, opened
from cloudfail.clock import SystemClock
from cloudfail.config.loaded import Loaded
from cloudfail.errors import Refused
from cloudfail.lint import Severity, lint
from cloudfail.model.topology import Audit, PortName
from cloudfail.packaging.archive import Files
from cloudfail.packaging.targets import Target
from cloudfail.registry import EXTRAS, known
from cloudfail.stores import EXTRA_OF
from cloudfail.stores import GROUP as STORES

_NOTHING = "Nothing was written."
_ON_DISK = ("sqlite", "memory")
# Whose databases are asked over SQL, by a driver that their own extra does not hold.
_OVER_SQL = ("aws", "gcp", "azure")
# Which of their databases are not, and what these are reached by.
_REACHED_BY: Mapping[str, tuple[str, ...]] = {
    "cosmos-db": (),
    "cosmos-db-multi-write": (),
    "documentdb-global": ("documentdb",),
    "dynamodb-global": (),
    "elasticache-global": ("redis",),
    "firestore": (),
    "mysql-flexible": (),
    "neptune-global": (),
    "spanner": (),
    "sql-database": ("sqlserver",),
    "sql-failover-group": ("sqlserver",),
    "sql-instance-group": ("sqlserver",),
}


@dataclass(frozen=True)
class Signed:
    """A bundle, beside which BUNDLE.sig lies, and the file that says who may sign it."""

    bundle: Path
    signers: Path


@dataclass(frozen=True)
class Needs:
    """files: the configuration as the archive holds it. extras: of cloudfail's. others: requirements for providers and
    stores that are not cloudfail's, in the version that is installed here."""

    files: Files
    extras: tuple[str, ...]
    others: tuple[str, ...]


def needs_of(config: Path, runbooks: Sequence[Path], target: Target) -> Needs:
    """Read and lint the files. Raises ConfigError; Refused for errors of lint, and for a log that no function keeps."""
    return _needs(configuration.load(config, runbooks), _files(config, runbooks), config, target)


def needs_of_bundle(signed: Signed, target: Target) -> Needs:
    """The same of the files in a bundle, whose signature must hold. The archive holds the bundle as it was signed, and
    no plain file beside it, which nobody would read."""
    bundle = opened(signed.bundle, signed.signers, SystemClock().wall())
    loaded = bundle.load()
    if loaded.topology.audit is not None and target.cloud.name != "aws":
        raise Refused(
            f"audit.signers of a bundle is looked for where the process stands, and {target.cloud.name} does not say "
            "where that is.",
            _NOTHING,
            "Package the plain files, or run the bundle on Lambda or a machine.",
        )
    signature = Path(f"{signed.bundle}.sig")
    files = {
        PACKED: signed.bundle.read_bytes(),
        f"{PACKED}.sig": signature.read_bytes(),
        PACKED_SIGNERS: signed.signers.read_bytes(),
    }
    if hashlib.sha256(files[PACKED]).hexdigest() != bundle.digest:
        raise Refused(f"{signed.bundle} changed while it was read.", _NOTHING, "Build it again.")
    needs = _needs(loaded, files, signed.bundle.with_name("cloudfail.yaml"), target)
    return replace(needs, extras=tuple(sorted({*needs.extras, "signing"})))


def _needs(loaded: Loaded, files: Files, config: Path, target: Target) -> Needs:
    errors = [str(one) for one in lint(loaded, ACTIONS) if one.severity is Severity.ERROR]
    if errors:
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        raise Refused("\n".join([*errors, f"Lint found {count}."]), _NOTHING, "Correct the files, then: cloudfail lint")
    topology = loaded.topology
    scheme = topology.state.partition(":")[0]
    if scheme in _ON_DISK:
        raise Refused(
            f"The log is `state: {scheme}:`, on the function's own disk, which goes with each process.",
            _NOTHING,
            "Write one of the stores that outlive a region: docs/state.md",
        )
    providers = {one.provider for one in topology.regions.values()}
    providers |= {one.provider for one in topology.resources.values()}
    schemes, extras = {scheme}, {target.cloud.extra, *(providers & set(EXTRAS))}
    if topology.audit is not None:
        schemes |= {url.partition(":")[0] for url in topology.audit.anchors}
        files = files | _for_anchors(topology.audit, config)
    extras |= {EXTRA_OF[one] for one in schemes if one in EXTRA_OF}
    for one in topology.resources.values():
        if one.port is PortName.DATABASE and one.provider in _OVER_SQL:
            extras.update(_REACHED_BY.get(one.kind, ("postgres",)))
    if topology.policy.approvers or topology.audit is not None:
        extras.add("signing")
    others = [entry for name, entry in known().items() if name in providers - set(EXTRAS)]
    others += [entry for name, entry in known(STORES).items() if name in schemes - set(EXTRA_OF)]
    return Needs(files, tuple(sorted(extras)), tuple(sorted({_pinned(entry) for entry in others})))


def _for_anchors(audit: Audit, config: Path) -> Files:
    """Who may sign. Raises Refused for a key that would have to lie in the archive, where whoever reads it has it; and
    for signers that the function would look for where they are not."""
    where, _, key = audit.key.partition(":")
    if where == "file" and not Path(key).is_absolute():
        raise Refused(
            f"audit.key is the file {key} beside {config.name}, and a private key does not belong into an archive.",
            _NOTHING,
            "Write env:NAME, and set it on the function from the platform's store of secrets.",
        )
    signers = PurePosixPath(audit.signers)
    if signers.is_absolute() or ".." in signers.parts:
        raise Refused(
            f"audit.signers is {audit.signers}, which lies outside of the archive.",
            _NOTHING,
            f"Put the file beside {config.name}, and name it from there.",
        )
    try:
        return {str(signers): (config.parent / signers).read_bytes()}
    except OSError as error:
        raise Refused(
            f"{config.parent / signers}, which says who may sign anchors, cannot be read: {error.strerror}.",
            _NOTHING,
            "Put it there, or name another one under audit: in cloudfail.yaml.",
        ) from error


def _pinned(entry: EntryPoint) -> str:
    if entry.dist is None:
        raise Refused(
            f'What brings "{entry.name}" ({entry.value}) is not an installed package.', _NOTHING, "Install it with pip."
        )
    return f"{entry.dist.name}=={entry.dist.version}"


def _files(config: Path, runbooks: Sequence[Path]) -> Files:
    found = {"cloudfail.yaml": config.read_bytes()}
    for path in runbooks:
        name = f"runbooks/{path.stem}.yaml"
        if name in found:
            raise Refused(
                f"Two runbooks' files would both be {name} in the archive.", _NOTHING, f"Rename one of them: {path}"
            )
        found[name] = path.read_bytes()
    return found
