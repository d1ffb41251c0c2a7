"""discover: draft cloudfail.yaml from what stands in a cloud."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def discover(
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="Which cloud: aws, gcp or azure.")],
    region: Annotated[list[str], typer.Option("--region", metavar="REGION", help="Where to look; once for each.")],
    tag: Annotated[str | None, typer.Option("--tag", metavar="KEY=VALUE", help="Only what carries this tag.")] = None,
    role: Annotated[
        str | None, typer.Option("--role", metavar="ROLE", help="As whom to read; without, as this process.")
    ] = None,
    account: Annotated[
        str | None,
        typer.Option("--account", metavar="ACCOUNT", help="Whose things: Google's project, Azure's subscription."),
    ] = None,
    application: Annotated[
        str | None, typer.Option("--application", metavar="NAME", help="What the application is called.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to write; without, it is printed.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over the file that is there.")] = False,
) -> None:
    """Draft cloudfail.yaml from live accounts, with literal identifiers, and say what it cannot know. Only reads.

    Exit code 0: all was read. 3: something could not be; the draft names it. 1: nothing was drafted.
    """
    from cloudfail import registry
    from cloudfail.discovering.writing import draft
    from cloudfail.errors import Refused
    from cloudfail.importing.saving import save
    from cloudfail.model.discovered import Wanted
    from cloudfail.ports import Discovers

    looks = registry.provider(provider)
    if not isinstance(looks, Discovers):
        raise Refused(
            f"The provider {provider} cannot say what stands in its regions.",
            "Nothing was asked.",
            "Write cloudfail.yaml by hand; providers that can are aws, gcp and azure.",
        )
    wanted = Wanted(tuple(dict.fromkeys(region)), _tag(tag), role or "", account or "")
    _refuse_name(application)
    if out is not None and not overwrite:
        _refuse_present(out)
    found = looks.discover(wanted)
    text = draft(provider, wanted, found, application or "")
    if out is None:
        typer.echo(text, nl=False)
    else:
        save({out.name: text}, out.parent, "Choose another file: --out FILE", "leave --out out", overwrite=overwrite)
        typer.echo(f"Wrote {out}: {_counted(len(found.found), 'resource')}.")
    typer.echo(f"{_counted(len(found.asks), 'question')}, {_counted(len(found.unread), 'thing')} not read.", err=True)
    for line in found.unread:
        typer.echo(line, err=True)
    if found.unread:
        raise typer.Exit(3)


def _tag(text: str | None) -> tuple[str, str] | None:
    from cloudfail.errors import Refused

    if text is None:
        return None
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise Refused(f"{text} is no tag.", "Nothing was asked.", "Write it as KEY=VALUE: --tag application=shop")
    return key, value


def _refuse_name(application: str | None) -> None:
    from cloudfail.drafting import tidy_name
    from cloudfail.errors import Refused

    if application is not None and tidy_name(application) != application:
        raise Refused(
            f"{application} is no name of an application.",
            "Nothing was asked.",
            f"Write it in letters, digits, - and _: --application {tidy_name(application) or 'shop'}",
        )


def _refuse_present(out: Path) -> None:
    """Before minutes of asking, not after them."""
    from cloudfail.errors import Refused

    if out.exists() or out.is_symlink():
        raise Refused(f"{out} is there already.", "Nothing was asked or written.", "Or write over it: --overwrite")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def register(app: typer.Typer) -> None:
    app.command()(discover)
