"""What a custom action says of itself in cloudfail.yaml, whatever its kind: data, from which plan, lint, approval
screen and report speak of it. Nobody but the site knows what its own command does; what it leaves out is taken for the
worse.

    purge: {custom: command, plane: data, home: none, loses_data: false, undo: {needless: "a cache fills itself"},
            members: {west: {act: [/opt/shop/purge, west], observe: [/opt/shop/purged, west]}}}

undo: the name of another custom resource, which takes this one back; or why there is none: `{needless: …}` (as it is,
it does no harm) or `{impossible: …}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from cloudfail.config.fields import Name, PositiveDuration, Shape, mistake
from cloudfail.ports import VerbFacts

STATED = ("plane", "home", "loses_data", "undo")
"""What lint asks for where it is left out."""
TYPICAL_SECONDS, LONGEST_SECONDS = 30.0, 300.0

Why = Annotated[str, Field(min_length=3, max_length=300)]


class NoUndo(Shape):
    """Why nothing takes it back."""

    needless: Why | None = None
    impossible: Why | None = None

    @model_validator(mode="after")
    def _one_reason(self) -> Self:
        if (self.needless is None) == (self.impossible is None):
            raise mistake("this says not why nothing takes it back", "write needless: WHY, or impossible: WHY")
        return self


class CustomShape(Shape):
    """The base of the options of every custom kind. home: the region whose control plane it needs, by name; `member`
    (that of the member that it runs in) or `none`. typical, longest: from the order until `observe` says done."""

    undo: Name | NoUndo | None = None
    plane: Literal["control", "data"] | None = None
    home: Name | None = None
    loses_data: bool | None = None
    typical: PositiveDuration | None = None
    longest: PositiveDuration | None = None


def facts(options: Mapping[str, Any], *, fencing: str, observed: bool = True) -> VerbFacts:
    """What the file states, as plan and lint read it: `options` is a CustomShape, dumped. Left out: control plane of
    the member's region, can lose data, cannot be undone."""
    home = options.get("home") or "member"
    typical = float(options.get("typical") or TYPICAL_SECONDS)
    return VerbFacts(
        plane=options.get("plane") or "control",
        home=None if home == "none" else str(home),
        loses_data=options.get("loses_data") is not False,
        reversible=taken_back_by(options) is not None or needs_no_undo(options),
        typical_seconds=typical,
        longest_seconds=max(typical, float(options.get("longest") or LONGEST_SECONDS)),
        fencing=fencing,
        observed=observed,
    )


def taken_back_by(options: Mapping[str, Any]) -> str | None:
    """The custom resource that takes it back, None where there is none."""
    undo = options.get("undo")
    return undo if isinstance(undo, str) else None


def needs_no_undo(options: Mapping[str, Any]) -> bool:
    """Whether the file says that it does no harm as it is."""
    undo = options.get("undo")
    return isinstance(undo, Mapping) and bool(undo.get("needless"))
