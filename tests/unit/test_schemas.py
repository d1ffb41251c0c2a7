"""The JSON Schemas are what the models say, accept what ships, and refuse what an editor should underline."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures" / "config"))

from paper import EVACUATE, HERE, RUNBOOKS, TOPOLOGY, changed

from cloudfail.actions.arguments import ARGUMENTS
from cloudfail.schemas import FOLDER, NAMES, generated, text_of
from cloudfail.schemas.__main__ import main

SCHEMAS = {name: json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8")) for name in NAMES}
TYPES: dict[str, Any] = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}


def fits(value: Any, schema: dict[str, Any], whole: dict[str, Any]) -> bool:
    """Whether a value fits a schema: the part of JSON Schema that ours use; any other keyword fails the test."""
    known = {"$ref", "type", "enum", "const", "pattern", "minLength", "maxLength", "minimum", "maximum", "properties",
             "additionalProperties", "required", "propertyNames", "minProperties", "maxProperties", "items", "minItems",
             "maxItems", "anyOf", "oneOf", "allOf", "if", "then", "title", "description", "default", "examples",
             "$defs", "$schema", "$id"}  # fmt: skip
    assert set(schema) <= known, set(schema) - known

    def all_of() -> Any:
        if "$ref" in schema:
            yield fits(value, whole["$defs"][schema["$ref"].removeprefix("#/$defs/")], whole)
        if "type" in schema:
            types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            yield any(isinstance(value, TYPES[one]) and (one == "boolean") == isinstance(value, bool) for one in types)
        yield value in schema.get("enum", [value])
        yield value == schema.get("const", value)
        if isinstance(value, str):
            yield re.search(schema.get("pattern", ""), value) is not None
            yield schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 1 << 20)
        if isinstance(value, int):
            yield schema.get("minimum", value) <= value <= schema.get("maximum", value)
        if isinstance(value, dict):
            properties = schema.get("properties", {})
            rest = schema.get("additionalProperties", True)
            yield all(key in value for key in schema.get("required", []))
            yield schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", 1 << 20)
            for key, one in value.items():
                yield fits(key, schema.get("propertyNames", {}), whole)
                inner = properties.get(key, rest)
                yield inner if isinstance(inner, bool) else fits(one, inner, whole)
        if isinstance(value, list):
            yield schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 1 << 20)
            yield all(fits(one, schema.get("items", {}), whole) for one in value)
        if "anyOf" in schema:
            yield any(fits(value, one, whole) for one in schema["anyOf"])
        if "oneOf" in schema:
            yield sum(fits(value, one, whole) for one in schema["oneOf"]) == 1
        yield all(fits(value, one, whole) for one in schema.get("allOf", []))
        if "if" in schema and fits(value, schema["if"], whole):
            yield fits(value, schema["then"], whole)

    return all(all_of())


def valid(text: str, name: str) -> bool:
    return fits(yaml.safe_load(text), SCHEMAS[name], SCHEMAS[name])


def test_the_schemas_in_the_repository_are_current() -> None:
    for name, schema in generated().items():
        assert (FOLDER / f"{name}.schema.json").read_text(encoding="utf-8") == text_of(schema), (
            "python -m cloudfail.schemas"
        )
    assert main(["--check"]) == 0


@pytest.mark.parametrize("file", ["cloudfail.yaml", "lab.yaml"])
def test_the_topologies_that_are_tested_fit_their_schema(file: str) -> None:
    assert valid((HERE / file).read_text(encoding="utf-8"), "cloudfail")


@pytest.mark.parametrize("file", sorted(RUNBOOKS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_runbook_that_ships_fits_its_schema(file: Path) -> None:
    assert valid(file.read_text(encoding="utf-8"), "runbook")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("policy: {automation: stage-1", "policy: {automation: stage-2"),
        ("rto: 15m", "rto: 15"),
        ("rto: 15m", "rto: 15m, mttr: 1h"),
        ("primary: us-east-1\n", ""),
        ("fall: 3", "fall: 0"),
        ("fall: 3", "fal: 3"),
        ("{http:", "{htttp:"),
        ("{http:", "{tcp: x, http:"),
        ("orders: {database: aurora-global", "orders: {dns: route53, database: aurora-global"),
        ("vantages: 2 of 3", "vantages: 2"),
    ],
)
def test_an_editor_underlines_a_mistake_in_the_topology(old: str, new: str) -> None:
    assert not valid(changed(TOPOLOGY, (old, new)), "cloudfail")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mode: failover", "mode: failovr"),
        ("action: database.fence", "action: database.fance"),
        ("{gate: approval, ", "{gate: approval, action: database.fence, "),
        ("{check: checkout}", "{chek: checkout}"),
        (" with: {check: checkout}, ", ""),
        ("unreachable: owe},     needs", "unreachable: ow},     needs"),
        ("needs: [fence]", "needs: fence"),
        ("limit: 3m", "limit: 3"),
    ],
)
def test_an_editor_underlines_a_mistake_in_a_runbook(old: str, new: str) -> None:
    text = (
        EVACUATE
        if old in EVACUATE
        else EVACUATE.replace("with: {check: checkout},                        ", "with: {check: checkout}, ")
    )
    assert not valid(text.replace(old, new, 1) if old in text else pytest.fail(old), "runbook")


def test_an_editor_completes_the_arguments_of_every_action() -> None:
    definitions = SCHEMAS["runbook"]["$defs"]
    for name, model in ARGUMENTS.items():
        assert set(definitions[model.__name__]["properties"]) == set(model.model_fields), name
        assert definitions[model.__name__]["additionalProperties"] is False
