"""JSON Schemas of the two files, for editors. Generated from the models that check them: `python -m cloudfail.schemas`.

An editor completes and checks with them; what they cannot say (names that must exist, order) `load` and lint say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudfail.config import durations

FOLDER = Path(__file__).parent
NAMES = ("cloudfail", "runbook")


def generated() -> dict[str, dict[str, Any]]:
    """Both schemas, as they should be."""
    from cloudfail.config.shapes import CHECK_KINDS, RunbookShape, TopologyShape

    topology = TopologyShape.model_json_schema(mode="validation", by_alias=True)
    resource = topology["$defs"]["ResourceShape"]
    resource["oneOf"] = [{"required": [port]} for port in _ports()]
    topology["$defs"]["CheckShape"]["oneOf"] = [{"required": [kind]} for kind in CHECK_KINDS]
    runbook = RunbookShape.model_json_schema(mode="validation", by_alias=True)
    _actions(runbook)
    return {"cloudfail": _finished(topology, "cloudfail"), "runbook": _finished(runbook, "runbook")}


def text_of(schema: Mapping[str, Any]) -> str:
    """A schema as its file holds it."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _ports() -> list[str]:
    from cloudfail.model.topology import PortName

    return [port.value for port in PortName]


def _actions(runbook: dict[str, Any]) -> None:
    """Each action with the arguments that are its own, so that an editor completes `with:`."""
    from cloudfail.actions.arguments import ARGUMENTS
    from cloudfail.config.shapes import CONDITIONS
    from cloudfail.model.runbook import ORDER_RULES

    definitions = runbook["$defs"]
    rules = []
    for name, model in ARGUMENTS.items():
        schema = model.model_json_schema(mode="validation", by_alias=True)
        definitions.update(schema.pop("$defs", {}))
        definitions[model.__name__] = schema
        body: dict[str, Any] = {"properties": {"with": {"$ref": f"#/$defs/{model.__name__}"}}}
        if schema.get("required"):
            body["required"] = ["with"]
        rules.append({"if": {"properties": {"action": {"const": name}}, "required": ["action"]}, "then": body})
    step = definitions["StepShape"]
    step["properties"]["action"] = {"enum": list(ARGUMENTS), "title": "Action"}
    step["properties"]["override"]["propertyNames"] = {"enum": list(ORDER_RULES)}
    step["oneOf"] = [{"required": ["action"]}, {"required": ["gate"]}]
    step["allOf"] = rules
    definitions["ConditionShape"]["oneOf"] = [{"required": [signal]} for signal in CONDITIONS]


def _finished(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """Without what only a Python reader needs: titles of keys, and `null`, which the files never hold."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:cloudfail:schema:{name}"}
    return {**head, **_without_null(schema)}


def _without_null(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_null(one) for one in value]
    if not isinstance(value, dict):
        return value
    body = {key: _without_null(one) for key, one in value.items() if not (key == "default" and one is None)}
    if isinstance(body.get("title"), str) and "properties" not in body:
        body.pop("title")
    if body.get("pattern") == durations.PATTERN and "default" in body:
        body["default"] = durations.written(body["default"])
    for pattern, inner in body.pop("patternProperties", {}).items():  # names: refused where they do not match
        body["propertyNames"], body["additionalProperties"] = {"pattern": pattern}, inner
    options = body.get("anyOf")
    if isinstance(options, list):
        kept = [one for one in options if one != {"type": "null"}]
        if len(kept) == 1:
            body.pop("anyOf")
            body = {**kept[0], **body}
        else:
            body["anyOf"] = kept
    return body
