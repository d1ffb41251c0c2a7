"""A runbook's file: shape → Runbook, its actions' arguments and every name that it refers to checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.actions.arguments import ARGUMENTS, Arguments
from cloudfail.config.checking import validated
from cloudfail.config.document import Document, Keys, Path, scalars
from cloudfail.config.fields import Refers
from cloudfail.config.mistakes import Mistakes, did_you_mean, shown
from cloudfail.config.shapes import ConditionShape, RunbookShape, StepShape, UndoShape
from cloudfail.config.substitution import RUNBOOK_NAMES, references
from cloudfail.config.topologies import Names
from cloudfail.model.runbook import ORDER_RULES, Condition, Mode, Runbook, Step

NONE_ON_PURPOSE = "none"


@dataclass
class RunbookReader:
    """Translates one file. `names` is what the topology offers, None where it could not be read at all."""

    document: Document
    mistakes: Mistakes
    names: Names | None

    def read(self) -> Runbook | None:
        """The runbook, or None after its mistakes were noted."""
        before = len(self.mistakes.found)
        shape = validated(RunbookShape, self.document, (), self.mistakes)
        if shape is None:
            self._despite_mistakes()
            return None
        steps = {name: self._step(name, step, list(shape.steps)) for name, step in shape.steps.items()}
        if len(self.mistakes.found) > before:
            return None
        limit = float(shape.limit) if shape.limit is not None else None
        return Runbook(shape.name, Mode(shape.mode), steps, shape.description, limit)

    def _note(self, path: Path, problem: str, instead: str, *, key: bool = False) -> None:
        place = self.document.place(*path, key=key)
        self.mistakes.add(place.file, place.line, place.column, place.text, problem, instead)

    def _despite_mistakes(self) -> None:
        """Some step has the wrong shape: check the others as well, so that all is told at once."""
        root = self.document.root
        steps = root.node("steps") if isinstance(root, Keys) else None
        if not isinstance(steps, Keys):
            return
        silent = Mistakes()
        for name in steps.entries:
            shape = validated(StepShape, self.document, ("steps", name), silent)
            if shape is not None:
                self._step(name, shape, list(steps.entries))

    def _step(self, name: str, shape: StepShape, steps: list[str]) -> Step:
        path: Path = ("steps", name)
        seen: set[str] = set()
        for index, need in enumerate(shape.needs):
            if need not in steps:
                others = [step for step in steps if step != name]
                self._note((*path, "needs", index), f'there is no step "{shown(need)}"', did_you_mean(need, others))
            elif need in seen:
                self._note((*path, "needs", index), f'"{need}" stands here twice', "write it once")
            seen.add(need)
        for rule in shape.override:
            if rule not in ORDER_RULES:
                problem = f'there is no order rule "{shown(rule)}"'
                self._note((*path, "override", rule), problem, did_you_mean(rule, ORDER_RULES, "rules"), key=True)
        for path_of_text, scalar in scalars(self.document.find(path)[0], path):
            if isinstance(scalar.value, str) and path_of_text[2] != "override":
                self._references(path_of_text, scalar.text)
        arguments: Mapping[str, Any] = {}
        if shape.action is not None:
            arguments = self._arguments(shape.action, (*path, "action"), (*path, "with"), shape.arguments)
        return Step(
            name=name,
            action=shape.action,
            gate=shape.gate,
            arguments=arguments,
            needs=tuple(shape.needs),
            limit_seconds=float(shape.limit) if shape.limit is not None else Step.limit_seconds,
            expires_seconds=float(shape.expires) if shape.expires is not None else Step.expires_seconds,
            retries=shape.retries if shape.retries is not None else Step.retries,
            pre=self._conditions((*path, "pre"), shape.pre),
            post=self._conditions((*path, "post"), shape.post),
            undo=self._undo(path, shape, arguments),
            override=dict(shape.override),
        )

    def _arguments(self, action: str, at: Path, where: Path, written: Mapping[str, Any]) -> dict[str, Any]:
        """`with:` as the action's own model accepts it, its defaults filled in."""
        model = ARGUMENTS.get(action)
        if model is None:
            self._note(at, f'there is no action "{shown(action)}"', did_you_mean(action, ARGUMENTS, "actions"))
            return {}
        accepted = validated(model, self.document, where, self.mistakes, data=dict(written))
        if accepted is None:
            return {}
        arguments = accepted.model_dump(exclude_none=True)
        self._refers(model, where, arguments)
        return arguments

    def _refers(self, model: type[Arguments], path: Path, arguments: Mapping[str, Any]) -> None:
        for key, field in model.model_fields.items():
            for mark in field.metadata:
                value = arguments.get(key)
                if isinstance(mark, Refers) and isinstance(value, str):
                    self._known((*path, key), mark.sort, value)
                elif isinstance(mark, Refers) and isinstance(value, list):
                    for index, one in enumerate(value):
                        self._known((*path, key, index), mark.sort, one)

    def _known(self, path: Path, sort: str, value: str) -> None:
        if self.names is None:
            return
        if any(reference.name not in RUNBOOK_NAMES for reference in references(value)):
            return
        if sort == "region" and value in ("${from}", "${to}"):
            return
        known = self.names.of(sort)
        if value in known:
            return
        what = {"traffic": "dns or loadbalancer resource"}.get(sort, sort)
        actual = self.names.resources.get(value)
        if actual and sort not in ("region", "check"):
            self._note(
                path, f'"{shown(value)}" is a {actual}, not a {what}', f"known here: {', '.join(known) or 'none'}"
            )
            return
        offered = [*known, "${from}", "${to}"] if sort == "region" else known
        self._note(path, f'there is no {what} "{shown(value)}" in the topology', did_you_mean(value, offered))

    def _references(self, path: Path, text: str) -> None:
        for reference in references(text):
            if reference.name is None:
                self._note(
                    path,
                    f"{shown(reference.written)} is no ${{name}}",
                    "write ${from} or ${to}; $${ for that very text",
                )
            elif reference.name not in RUNBOOK_NAMES:
                advice = did_you_mean(reference.name, RUNBOOK_NAMES)
                self._note(path, f"nothing is called ${{{reference.name}}} in a runbook", advice)

    def _conditions(self, path: Path, shapes: list[ConditionShape]) -> tuple[Condition, ...]:
        conditions = []
        for index, shape in enumerate(shapes):
            signal = shape.signal
            subject = str(getattr(shape, signal))
            sort = {"healthy": "check", "quiet": "signals"}.get(signal, "database")
            self._known((*path, index, signal), sort, subject)
            self._known((*path, index, "in"), "region", shape.region)
            conditions.append(Condition(signal, subject, shape.region))
        return tuple(conditions)

    def _undo(self, path: Path, shape: StepShape, arguments: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
        undo = shape.undo
        if undo is None:
            return None
        at = (*path, "undo")
        if isinstance(undo, UndoShape):
            return undo.action, self._arguments(undo.action, (*at, "action"), (*at, "with"), undo.arguments)
        if undo == NONE_ON_PURPOSE:
            return NONE_ON_PURPOSE, {}
        model = ARGUMENTS.get(undo)
        passed = {key: value for key, value in arguments.items() if model is not None and key in model.model_fields}
        if model is None:
            self._note(
                at, f'there is no action "{shown(undo)}"', did_you_mean(undo, [*ARGUMENTS, NONE_ON_PURPOSE], "actions")
            )
            return None
        return undo, self._arguments(undo, at, at, passed)
