"""One workflow on its way into one runbook: what every block's translation needs, and where it tells what is lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from os.path import commonprefix

from cloudfail.drafting import said
from cloudfail.importing.parts import Names, Resources, Step
from cloudfail.importing.plan import Block, Loss, SwitchPlan, Workflow
from cloudfail.importing.source import Part, Placeholder
from cloudfail.model.runbook import Mode

MINUTES_MAX = 10_000
GATE_MINUTES_MAX = 1440
GATE_MINUTES = 30
"""For a gate whose time the plan does not state."""

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+")


@dataclass
class Translation:
    """One workflow on its way into one runbook. `subject` is the region that the workflow names (the one that is
    activated or deactivated) as the runbook calls it, `other` the second one."""

    plan: SwitchPlan
    workflow: Workflow
    mode: Mode
    subject: str
    resources: Resources
    names: Names
    losses: list[Loss] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def other(self) -> str:
        return "${from}" if self.subject == "${to}" else "${to}"

    def lost(self, block: Block, what: str, why: str) -> None:
        named = f'{what} of "{said(block.name)}"' if what else f'"{said(block.name)}" ({said(block.type) or "no type"})'
        self.losses.append(Loss(named, why, block.place, self.workflow.called))

    def differs(self, block: Block, how: str) -> None:
        self.differences.append(f'"{said(block.name)}": {how}')

    def step(self, block: Block, action: str, arguments: Mapping[str, str], minutes: int, name: str = "") -> Step:
        """A step for a block. The limit is the block's own where it states one."""
        name = self.names.give(name or block.name, block.type)
        remark = f'Region switch: "{said(block.name)}" ({block.type})'
        if block.description:
            remark += f": {said(block.description)}"
        limit = _limit(block.config, minutes, MINUTES_MAX if action else GATE_MINUTES_MAX)
        return Step(name, action, arguments, limit, remarks=(remark,), block=block.key)

    def gate(self, block: Block) -> Step:
        return self.step(block, "", {}, GATE_MINUTES)

    def by_hand(self, block: Block, why: str, where: str = "") -> Step:
        """A gate in place of what no action carries."""
        self.lost(block, "", f"{why}: a person does it" if not where else f"{why} ({where}): a person does it")
        told = f"not carried: {why}" + (f" ({where})" if where else "")
        step = self.gate(block).saying(told, "do it by hand and then approve, or replace this gate by steps")
        return replace(step, by_hand=True)

    def skipped(self, block: Block, config: Part) -> bool:
        """Whether an ungraceful execution, which a failover is, leaves this block out."""
        ungraceful = config.get("ungraceful")
        if self.mode is not Mode.FAILOVER or ungraceful is None or ungraceful.text_of("behavior") != "skip":
            return False
        self.left_out.append(f'"{said(block.name)}" ({block.type}): Region switch skips it when a region is lost')
        return True

    def members(self, block: Block, arns: list[str]) -> tuple[dict[str, str], tuple[str, ...]]:
        """Region → ARN, by the region in each ARN. What names none is placed by its position, and said to be."""
        members: dict[str, str] = {}
        open_ones = []
        for arn in arns:
            region = region_in(arn)
            if region in self.plan.regions and region not in members:
                members[region] = arn
            elif region and region not in self.plan.regions:
                self.lost(block, said(arn, 120), f"{region} is no region of this plan")
            else:
                open_ones.append(arn)
        remarks: list[str] = []
        for region, arn in zip([one for one in self.plan.regions if one not in members], open_ones, strict=False):
            members[region] = arn
            remarks.append(f"fill in: that {said(arn, 80)} stands in {region} is assumed from the order in the plan")
        return {one: members[one] for one in self.plan.regions if one in members}, tuple(remarks)

    def by_region(self, block: Block, mapping: Part | None) -> dict[str, str]:
        """Region → ARN, of a mapping; one that is left empty is not written out."""
        found: dict[str, str] = {}
        for region, value in mapping.entries() if mapping is not None else ():
            arn = value.text()
            if region not in self.plan.regions:
                self.lost(block, said(region), "it is no region of this plan")
            elif arn is not None and arn.strip():
                found[region] = arn
        return found


def region_in(arn: str) -> str:
    """The region of an ARN as far as it is written out, "" where it is not."""
    text = arn.template if isinstance(arn, Placeholder) else arn
    parts = text.split(":", 5)
    return parts[3] if len(parts) > 4 and _REGION.fullmatch(parts[3]) else ""


def tail(arn: str, after: str) -> str:
    """The identifier at the end of an ARN that is written out; anything else as it is."""
    head, found, tail = arn.rpartition(after)
    return tail if not isinstance(arn, Placeholder) and head and found and tail else arn


def stem(members: Mapping[str, str], otherwise: str) -> str:
    """A name for what has one in each region: `web-e` and `web-w` are `web`."""
    known = [name for name in members.values() if not isinstance(name, Placeholder)]
    shared = commonprefix(known).rstrip("-_./:") if len(known) == len(members) else ""  # noqa: RUF071
    return shared if len(shared) > 1 else otherwise


def _limit(config: Part | None, default: int, most: int) -> str:
    minutes = config.number_of("timeoutMinutes") if config is not None else None
    return f"{min(max(int(minutes or default), 1), most)}m"


def anywhere(config: Part, key: str) -> str | None:
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if (text := part.text_of(key)) is not None:
            return text
        waiting += reversed([*part.items(), *(value for _, value in part.entries())])
    return None


def texts_of(listing: Part | None, key: str) -> list[str]:
    """What stands under a key in each value of a list."""
    return [text for one in (listing.items() if listing is not None else []) if (text := one.text_of(key))]


Translate = Callable[[Translation, Block, Part], list[Step]]
