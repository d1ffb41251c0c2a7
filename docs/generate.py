"""Writes the tables in docs/ that come from the code: `python docs/generate.py`. A test says when they are out of date.

A table stands between `<!-- generated: NAME -->` and `<!-- /generated -->`; what stands there is replaced.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, get_args

if TYPE_CHECKING:
    from cloudfail.model.topology import PortName
    from cloudfail.ports import Kind, VerbFacts

DOCS = Path(__file__).resolve().parent
FENCED = {"condition": "fenced by condition", "mark": "fenced by mark", "watching": "repaired by watching"}
BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- /generated -->)", re.DOTALL)


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table, with a blank line on both sides."""
    titles = list(titles)
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n" + "\n".join(lines) + "\n\n"


def lifecycle() -> str:
    """Every row of the state machine, in its order: the first row that fits is taken."""
    from cloudfail.execution.lifecycle import TABLE

    rows = ((row.phase, row.event, row.when or "always", row.next, row.sentence) for row in TABLE)
    return table(("in phase", "when", "and", "goes to", "what the operator reads"), rows)


def ways_out() -> str:
    """What a person may command in each phase."""
    from cloudfail.execution.lifecycle import Phase, ways_out

    rows = ((phase, ", ".join(f"`{way}`" for way in dict.fromkeys(ways_out(phase))) or "–") for phase in Phase)
    return table(("phase", "commands"), rows)


def rules() -> str:
    """What must hold before automation acts, in the order in which it is asked."""
    from cloudfail.decide import RULES

    return "\n" + "\n".join(f"{n}. {rule.__name__.replace('_', ' ')}" for n, rule in enumerate(RULES, 1)) + "\n\n"


def local_verbs() -> str:
    """Every verb of every kind of the local provider, with what it says of itself."""
    from cloudfail_local import provider

    def rows() -> Iterable[tuple[str, ...]]:
        for (port, name), kind in provider.kinds().items():
            for verb, facts in kind.verbs.items():
                yield (
                    f"`{port}: {name}`",
                    f"`{verb}`",
                    FENCED[facts.fencing],
                    "can lose data" if facts.loses_data else "no",
                    "yes" if facts.reversible else "no",
                    f"{facts.typical_seconds:g} s / {facts.longest_seconds:g} s",
                )

    return table(("kind", "verb", "a late call is", "data loss", "can be undone", "typical / longest"), rows())


def aws_verbs() -> str:
    """Every verb of every kind of the AWS provider, and where what it calls stands."""
    from cloudfail_aws import provider

    return cloud_verbs(provider.kinds())


def gcp_verbs() -> str:
    """The same of Google Cloud."""
    from cloudfail_gcp import provider

    return cloud_verbs(provider.kinds())


def azure_verbs() -> str:
    """The same of Azure."""
    from cloudfail_azure import provider

    return cloud_verbs(provider.kinds())


def cloud_verbs(kinds: Mapping[tuple[PortName, str], Kind]) -> str:
    """One cloud's: plane and home beside what every provider says."""

    def home(kind: Kind, facts: VerbFacts) -> str:
        if kind.verbs_of is not None and facts.home is not None:
            return "the resource's own region"
        return {None: "no region", "member": "the member's region"}.get(facts.home) or str(facts.home)

    def rows() -> Iterable[tuple[str, ...]]:
        for (port, name), kind in kinds.items():
            for verb, facts in kind.verbs.items():
                yield (
                    f"`{port}: {name}`",
                    f"`{verb}`",
                    f"{facts.plane}, {home(kind, facts)}",
                    FENCED[facts.fencing],
                    "can lose data" if facts.loses_data else "no",
                    "yes" if facts.reversible else "no",
                    f"{facts.typical_seconds:g} s / {facts.longest_seconds:g} s",
                )

    titles = ("kind", "verb", "plane, and what it needs", "a late call is", "data loss", "can be undone")
    return table((*titles, "typical / longest"), rows())


def divided() -> str:
    """What steps a ramp may take on each kind of name and balancer."""
    import cloudfail_aws
    import cloudfail_azure
    import cloudfail_gcp
    import cloudfail_local
    from cloudfail.model.topology import PortName, Resource

    words = {"percent": "any, in whole percent", "evenly": "50 and 100, between two regions", "not": "100, at once"}

    def rows() -> Iterable[tuple[str, ...]]:
        for provider in (cloudfail_local.provider, cloudfail_aws.provider):
            for (port, name), kind in provider.kinds().items():
                if "shift" not in kind.verbs:
                    continue
                if port is not PortName.DNS or kind.verbs_of is None:
                    yield f"`{port}: {name}`", words[kind.verbs["shift"].divides]
                    continue
                for routing in ("weighted", "multivalue", "failover", "latency"):
                    for switch in (None, {}) if name == "route53" else (None,):
                        options = {"routing": routing, "switch": switch}
                        facts = kind.facts("shift", Resource(name, port, name, provider.name, None, {}, options))
                        with_switch = ", `switch:`" if switch is not None else ""
                        yield f"`{port}: {name}`, `routing: {routing}`{with_switch}", words[facts.divides]
        for (port, name), kind in cloudfail_gcp.provider.kinds().items():
            if "shift" not in kind.verbs:
                continue
            routed = getattr(kind.options, "model_fields", {}).get("routing")
            if routed is None or kind.verbs_of is None:
                yield f"`{port}: {name}`", words[kind.verbs["shift"].divides]
                continue
            for routing in get_args(routed.annotation):
                options = {"zone": "z", "name": "n", "routing": routing}
                facts = kind.facts("shift", Resource(name, port, name, "gcp", None, {}, options))
                yield f"`{port}: {name}`, `routing: {routing}`", words[facts.divides]
        group = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/g/providers/Microsoft.Network"
        zone = {"zone": f"{group}/dnsZones/z.example", "name": "n.z.example"}
        for (port, name), kind in cloudfail_azure.provider.kinds().items():
            if "shift" not in kind.verbs:
                continue
            fields = getattr(kind.options, "model_fields", {})
            decides = "type" if port is PortName.DNS else "routing"
            if decides not in fields or kind.verbs_of is None:
                yield f"`{port}: {name}`", words[kind.verbs["shift"].divides]
                continue
            for said in get_args(fields[decides].annotation):
                options = {**(zone if port is PortName.DNS else {}), decides: said}
                facts = kind.facts("shift", Resource(name, port, name, "azure", None, {}, options))
                yield f"`{port}: {name}`, `{decides}: {said}`", words[facts.divides]

    return table(("kind", "the steps of a ramp"), rows())


def actions() -> str:
    """Every action that a runbook may name."""
    from cloudfail.actions.arguments import ARGUMENTS
    from cloudfail.actions.catalog import ACTIONS

    def rows() -> Iterable[tuple[str, ...]]:
        for name, action in ACTIONS.items():
            fields = ARGUMENTS[name].model_fields
            keys = ", ".join(f"`{key}`" if field.is_required() else f"`{key}`?" for key, field in fields.items())
            undo = f"`{action.undo}`" if action.undo else "–"
            yield f"`{name}`", keys, undo, "yes" if action.waits_for_source else "no"

    return table(("action", "`with:` (? may be left out)", "taken back by", "needs the source to answer"), rows())


def faults() -> str:
    """Every fault that a simulated seed may hold."""
    from cloudfail.testing.simulation.faults import rows

    found = ((group, f"`{fault}`", share or "–", sentence) for group, fault, share, sentence in rows())
    return table(("group", "fault", "seeds", "what happens"), found)


GENERATORS: Mapping[str, Callable[[], str]] = {
    "lifecycle": lifecycle,
    "ways-out": ways_out,
    "rules": rules,
    "local-verbs": local_verbs,
    "aws-verbs": aws_verbs,
    "divided": divided,
    "gcp-verbs": gcp_verbs,
    "azure-verbs": azure_verbs,
    "actions": actions,
    "faults": faults,
}


def generated(text: str) -> str:
    """`text` with every table as the code has it now."""
    return BLOCK.sub(lambda found: found[1] + GENERATORS[found[2]]() + found[3], text)


def main() -> int:
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        if (new := generated(text)) != text:
            page.write_text(new, encoding="utf-8")
            sys.stdout.write(f"wrote {page.relative_to(DOCS)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
