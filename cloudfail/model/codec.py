"""Plans as JSON documents and back: what the journal stores, and what the checksum covers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from cloudfail.model.plan import Bounds, Plan, PlannedStep, StepFacts
from cloudfail.model.runbook import Condition, Mode


def plan_document(plan: Plan) -> dict[str, Any]:
    """A plan as plain JSON values; `plan_from_document` turns it back into an equal plan."""
    document: dict[str, Any] = json.loads(json.dumps(plan, default=_fields))
    return document


def _fields(value: Any) -> dict[str, Any]:
    """One level of a dataclass; the encoder asks again for what is inside."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def plan_from_document(document: Mapping[str, Any]) -> Plan:
    return Plan(
        application=document["application"],
        runbook=document["runbook"],
        mode=Mode(document["mode"]),
        source=document["source"],
        target=document["target"],
        steps=tuple(_step(step) for step in document["steps"]),
        bounds=Bounds(**document["bounds"]),
        checksum=document["checksum"],
        expires_seconds=document["expires_seconds"],
        limit_seconds=document.get("limit_seconds"),
    )


def _step(document: Mapping[str, Any]) -> PlannedStep:
    step = dict(document)
    step["needs"] = tuple(document["needs"])
    step["pre"] = tuple(Condition(**condition) for condition in document["pre"])
    step["post"] = tuple(Condition(**condition) for condition in document["post"])
    step["undo"] = (document["undo"][0], document["undo"][1]) if document["undo"] else None
    facts = dict(document["facts"])
    facts["waits_for"] = tuple(facts["waits_for"])
    facts["shared"] = tuple(facts.get("shared", ()))
    step["facts"] = StepFacts(**facts)
    return PlannedStep(**step)


def checksum_of(plan: Plan) -> str:
    """SHA-256 over everything that a reviewer agrees to: steps, literal identifiers, from and to, limits and bounds.

    Not covered: momentary values (they are read again before each step), the estimates in `facts` that only inform,
    and when the plan expires. (Invariant I10.)
    """
    return checksum_of_document(plan_document(plan))


def checksum_of_document(document: Mapping[str, Any]) -> str:
    """The same of a plan as it was written down: what a later version added to plans does not come into it, so that an
    older log keeps its checksums."""
    covered = {key: value for key, value in document.items() if key not in {"checksum", "expires_seconds"}}
    covered["steps"] = [{**step, "facts": _without_estimates(step["facts"])} for step in document["steps"]]
    canonical = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _without_estimates(facts: Mapping[str, Any]) -> dict[str, Any]:
    covered = {key: value for key, value in facts.items() if key not in {"typical_seconds", "longest_seconds"}}
    if not covered.get("shared"):
        covered.pop("shared", None)  # a plan without any keeps the checksum that it had before there were any
    return covered
