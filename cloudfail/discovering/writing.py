"""What was found as cloudfail.yaml: literal identifiers, and in comments all that a person still has to say.

The file loads as it is. Where a key must be there and nothing in a cloud tells it, a cautious value stands below a
comment that says what to write. The same world gives the same bytes: nothing of a clock, a path or an order of answers
is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cloudfail.discovering.judging import unsettled
from cloudfail.drafting import comment, flow, inline, quoted, said, tidy_name
from cloudfail.errors import Refused
from cloudfail.model.discovered import Discovered, Found, Wanted

SAID_MAX = 2000
RESOURCES_MAX = 1000
"""As the file's own shape has it."""
UNNAMED = "application"


def draft(provider: str, wanted: Wanted, found: Discovered, application: str = "") -> str:
    """The file. It says at its top what lint has to say of it, until it is filled in. Raises Refused for more than a
    file holds."""
    if len(found.found) > RESOURCES_MAX:
        raise Refused(
            f"{len(found.found)} resources were found, and cloudfail.yaml holds {RESOURCES_MAX}.",
            "Nothing was written.",
            "Tag what belongs to the application, and look for that: --tag application=NAME",
        )
    lines = list(_body(provider, wanted, found, application))
    findings = unsettled("\n".join(lines) + "\n")
    return "\n".join([*_head(provider, wanted, found, findings), *lines]) + "\n"


def _head(provider: str, wanted: Wanted, found: Discovered, findings: Sequence[str]) -> Iterator[str]:
    where = ", ".join(wanted.regions)
    tagged = f", of what is tagged {wanted.tag[0]}={wanted.tag[1]}" if wanted.tag else ""
    yield from comment(said(f"A draft, made from what stands in {provider}: {where}{tagged}.", SAID_MAX))
    yield from comment("Read every line before it is used. What needs a person's word is marked: fill in.")
    yield from _listed("Could not be read, so that what is there is not in this file:", found.unread)
    yield from _listed("To be decided by a person, and not in this file:", found.asks)
    yield from _listed("Until it is filled in, cloudfail lint says:", findings)


def _listed(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield "#"
        yield from comment(title)
        for line in lines:
            yield from comment(f"- {said(line, SAID_MAX)}")


def _body(provider: str, wanted: Wanted, found: Discovered, application: str) -> Iterator[str]:
    if not application:
        yield "# fill in: the application's name"
    yield f"application: {quoted(application or UNNAMED)}"
    yield "# fill in: what was promised. rto: until users are served again. rpo: acknowledged writes that may be lost;"
    yield "#   at 0s every loss waits for a person's word"
    yield "objectives: {rto: 60m, rpo: 0s}"
    yield "# fill in, if cloudfail is to ask as somebody else than itself: roles: {watch: …, execute: …} of each region"
    yield "regions:"
    for region in wanted.regions:
        account = found.accounts.get(region)
        if account is None:
            yield f"  # fill in: account of {region}. It could not be asked for"
        written = f', account: "{account}"' if account else ""
        yield f"  {quoted(region)}: {{provider: {provider}{written}}}"
    if found.primary:
        yield from comment(f"{said(found.primary_why, SAID_MAX)}")
    elif found.primary_why:
        yield from comment(f"fill in: primary, {said(found.primary_why, SAID_MAX)}")
    else:
        yield "# fill in: primary. Nothing that was found says where the application is at home; this is the first one"
    yield f"primary: {quoted(found.primary or wanted.regions[0])}"
    yield "# fill in: state, a store that lives in none of these regions, such as dynamodb://TABLE?region=…"
    yield "#   of another one. A file is lost with its machine"
    yield "state: sqlite:state.db"
    yield from _resources(found.found)
    yield "# fill in: checks, what users see in each region. Without one nobody sees a loss, and no move is verified"
    yield "# checks:"
    yield '#   users: {http: "https://${region}.HOST/healthz", every: 10s, fall: 3, rise: 2, vantages: 2 of 3}'
    yield "# fill in: vantages, the places that look. One of them has to stand outside of these regions"
    yield '# vantages: {here: {}, office: {command: [ssh, office, "--"]}, elsewhere: {command: [ssh, elsewhere, "--"]}}'
    yield "# fill in, once a drill went well: policy: {automation: stage-1, hold_down: 2m, cool_down: 1h}"


def _resources(found: Sequence[Found]) -> Iterator[str]:
    names = _names(found)
    yield "# fill in: a resource of the port `change` for whatever deploys; until there is one, freezes hold nothing"
    if not found:
        yield "# Nothing was found that has members in several of these regions."
        return
    yield "resources:"
    for one, name in zip(found, names, strict=True):
        for line in (one.why, *one.remarks):
            yield from comment(said(line, SAID_MAX), 2)
        yield from (_block if one.blanks else _line)(one, name)


def _line(one: Found, name: str) -> Iterator[str]:
    parts = [f"{one.port}: {one.kind}"]
    parts += [f"id: {quoted(one.id)}"] if one.id is not None else []
    parts += [f"{key}: {inline(written)}" for key, written in one.options.items()]
    if sum(len(inline(member)) for member in one.members.values()) < 80:
        yield from flow(f"  {quoted(name)}: ", [*parts, f"members: {inline(one.members)}"])
        return
    yield from _head_of(one, name)
    for region, member in one.members.items():
        yield f"      {quoted(region)}: {inline(member)}"


def _block(one: Found, name: str) -> Iterator[str]:
    yield from _head_of(one, name)
    for region, member in one.members.items():
        yield f"      {quoted(region)}:"
        assert isinstance(member, Mapping)
        for key, written in member.items():
            yield f"        {quoted(key)}: {inline(written)}"
        for line in one.blanks.get(region, ()):
            yield f"        # fill in: {' '.join(line.split())}"


def _head_of(one: Found, name: str) -> Iterator[str]:
    yield f"  {quoted(name)}:"
    yield f"    {one.port}: {one.kind}"
    if one.id is not None:
        yield f"    id: {quoted(one.id)}"
    for key, written in one.options.items():
        yield f"    {quoted(key)}: {inline(written)}"
    yield "    members:"


def _names(found: Sequence[Found]) -> list[str]:
    """A name for each, in order; what is taken gets its kind, then a number."""
    taken: dict[str, None] = {}
    for one in found:
        plain = tidy_name(one.name) or one.kind
        numbered = (f"{plain}-{one.kind}-{number}" for number in range(2, len(found) + 2))
        taken[next(name for name in (plain, f"{plain}-{one.kind}", *numbered) if name not in taken)] = None
    return list(taken)
