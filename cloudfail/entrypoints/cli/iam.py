"""iam: what the roles of an application must be allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloudfail.entrypoints.cli.opening import DEFAULT_CONFIG, Config, Runbooks, load_app

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudfail.permissions import Needed
    from cloudfail.ports import WritesPolicies


def iam(
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="Whose roles: aws, azure or gcp.")],
    source: Annotated[str | None, typer.Option("--from", help="Only members in this region, and in --to.")] = None,
    target: Annotated[str | None, typer.Option("--to", help="Only members in this region, and in --from.")] = None,
    runbook: Annotated[
        str | None, typer.Option("--runbook", help="Only what this runbook's steps do, and what takes them back.")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="ROLE", help="One policy by itself: watch, execute, or a role's name."),
    ] = None,
    to_discover: Annotated[
        bool, typer.Option("--discover", help="Only what `cloudfail discover` reads; needs no file.")
    ] = False,
    files: Annotated[
        Path | None, typer.Option("--files", metavar="FOLDER", help="Write the files that the commands name there.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
) -> None:
    """Print the policies that the roles need, resource by resource, as JSON. Asks nothing of any cloud.

    Without options: for everything in the topology. What goes beyond what the file names is listed with its reason.
    """
    from cloudfail import registry
    from cloudfail.errors import Refused
    from cloudfail.permissions import needed
    from cloudfail.ports import WritesPolicies

    loaded = None if to_discover else load_app(config, runbooks)
    writes = registry.provider(provider)
    if not isinstance(writes, WritesPolicies):
        raise Refused(
            f"The provider {provider} does not say what its roles need.",
            "Nothing was printed.",
            "Its documentation may; providers that do are aws, azure and gcp.",
        )
    if loaded is None:
        _print_discovery(provider, writes, files)
        return
    stated = needed(loaded, provider, source, target, runbook)
    for name in stated.unsaid:
        typer.echo(f"{name}: its kind does not say what it needs; it is in no policy.", err=True)
    if only is None:
        shown: dict[str, list[dict[str, Any]]] = {
            "policies": [
                {"role": one.role, "does": one.does, "policy": writes.policy(one.grants, one.role, one.does)}
                for one in stated.roles
            ],
            "wider_than_the_file": [line for one in stated.roles for line in _wide(one)],
        }
        log = _log(provider, writes, loaded.topology.state)
        shown |= {"log": [{"does": "keep the log", "policy": log}]} if log else {}
        _save(writes, files, *(one["policy"] for part in ("policies", "log") for one in shown.get(part, ())))
        typer.echo(json.dumps(shown, indent=2))
        return
    found = [one for one in stated.roles if only in (one.role, one.does)]
    if len(found) != 1:
        known = ", ".join(f"{one.role or 'no role'} ({one.does})" for one in stated.roles) or "none"
        raise Refused(
            f"{only} is {'no role' if not found else f'{len(found)} roles'} here.",
            "Nothing was printed.",
            f"There are: {known}.",
        )
    for line in _wide(found[0]):
        typer.echo(
            f"{line['resource']}: {', '.join(line['actions'])} on {', '.join(line['on'])}: {line['why']}", err=True
        )
    policy = writes.policy(found[0].grants, found[0].role, found[0].does)
    _save(writes, files, policy)
    typer.echo(json.dumps(policy, indent=2))


def _log(provider: str, writes: WritesPolicies, url: str) -> Mapping[str, Any] | None:
    """What keeping the log takes, where it lives with that provider and that says it."""
    from cloudfail.ports import WritesLogPolicies
    from cloudfail.stores import store_kind

    if not isinstance(writes, WritesLogPolicies) or store_kind(url).place(url).provider != provider:
        return None
    return writes.log_policy(url)


def _save(writes: WritesPolicies, folder: Path | None, *policies: Mapping[str, Any]) -> None:
    from cloudfail.errors import Refused
    from cloudfail.importing.saving import save
    from cloudfail.ports import WritesRoleFiles

    if folder is None:
        return
    if not isinstance(writes, WritesRoleFiles):
        raise Refused(
            "The policies of this provider name no files.",
            "Nothing was written.",
            "Leave --files out: they are printed.",
        )
    texts = {name: text for one in policies for name, text in writes.role_files(one).items()}
    save(texts, folder, "Choose another folder: --files FOLDER", "leave --files out", overwrite=False)


def _print_discovery(provider: str, writes: WritesPolicies, files: Path | None) -> None:
    from cloudfail.errors import Refused
    from cloudfail.ports import Discovers

    if not isinstance(writes, Discovers):
        raise Refused(
            f"The provider {provider} cannot say what stands in its regions.",
            "Nothing was printed.",
            "Providers that can are aws, azure and gcp.",
        )
    grants = writes.discovery()
    for one in grants:
        typer.echo(f"{len(one.actions)} actions on {', '.join(one.on)}: {one.why}", err=True)
    policy = writes.policy({"discover": grants}, does="discover")
    _save(writes, files, policy)
    typer.echo(json.dumps(policy, indent=2))


def _wide(one: Needed) -> list[dict[str, Any]]:
    """Each once: two members of one resource may need the same."""
    found: list[dict[str, Any]] = []
    for name, grant in one.wide:
        what = {"actions": list(grant.actions), "on": list(grant.on), "why": grant.why}
        line = {"resource": name, "role": one.role, "does": one.does, **what}
        if line not in found:
            found.append(line)
    return found


def register(app: typer.Typer) -> None:
    app.command()(iam)
