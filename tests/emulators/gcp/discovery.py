"""Google's own description of its APIs, as google-api-python-client ships it: which method a request is, and what in a
request or an answer is not as the description says."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import googleapiclient.discovery_cache
import jsonschema

DOCUMENTS = Path(googleapiclient.discovery_cache.__file__).parent / "documents"


@dataclass(frozen=True)
class Method:
    """One method. `id`: as Google names it ("compute.backendServices.patch"). `scopes`: of a token, any one of them."""

    id: str
    http: str
    path: re.Pattern[str]
    parameters: frozenset[str]
    request: str | None
    response: str | None
    scopes: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return self.id.rpartition(".")[2]


class Api:
    """One API in one version: "compute.v1"."""

    def __init__(self, document: str) -> None:
        told = json.loads((DOCUMENTS / f"{document}.json").read_text(encoding="utf-8"))
        self.name = str(told["name"])
        self.base = f"/{told['servicePath']}"
        common = frozenset(told.get("parameters", {}))
        self.methods = tuple(self._methods(told, common))
        self._schemas = {name: _converted(schema) for name, schema in told["schemas"].items()}
        self._validators: dict[str, jsonschema.Draft202012Validator] = {}

    def find(self, http: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """The method at that path (which begins with the API's base), and what stands in it."""
        for method in self.methods:
            if method.http == http and (found := method.path.fullmatch(path)):
                return method, {name: unquote(value) for name, value in found.groupdict().items()}
        return None

    def offences(self, schema: str, value: Any) -> list[str]:
        """What in `value` is not as that schema says; empty where all is well."""
        if schema not in self._validators:
            whole = {"$defs": self._schemas, "$ref": f"#/$defs/{schema}"}
            self._validators[schema] = jsonschema.Draft202012Validator(whole)
        errors = self._validators[schema].iter_errors(value)
        return [f"{'/'.join(map(str, error.absolute_path)) or 'it'}: {error.message[:200]}" for error in errors]

    def _methods(self, told: Mapping[str, Any], common: frozenset[str]) -> Iterator[Method]:
        for one in told.get("methods", {}).values():
            path = re.escape(self.base + str(one.get("flatPath", one["path"])))
            pattern = re.sub(r"\\{\\?\+?(\w+)\\}", r"(?P<\1>[^/:]+)", path)
            yield Method(
                id=str(one["id"]),
                http=str(one["httpMethod"]),
                path=re.compile(pattern),
                parameters=frozenset(one.get("parameters", {})) | common,
                request=one.get("request", {}).get("$ref"),
                response=one.get("response", {}).get("$ref"),
                scopes=frozenset(one.get("scopes", ())),
            )
        for resource in told.get("resources", {}).values():
            yield from self._methods(resource, common)


@functools.cache
def api(document: str) -> Api:
    return Api(document)


def _converted(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Google's dialect of JSON Schema in plain words: a property that is not listed is a mistake."""
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    match schema.get("type"):
        case "object" if "additionalProperties" in schema:
            return {"type": "object", "additionalProperties": _converted(schema["additionalProperties"])}
        case "object":
            properties = {name: _converted(one) for name, one in schema.get("properties", {}).items()}
            return {"type": "object", "properties": properties, "additionalProperties": False}
        case "array":
            return {"type": "array", "items": _converted(schema["items"])}
        case "any" | None:
            return {}
        case kind:
            made: dict[str, Any] = {"type": kind}
            if "enum" in schema:
                made["enum"] = schema["enum"]
            if kind == "string" and schema.get("format") in ("int64", "uint64"):
                made["pattern"] = r"^-?\d+$"
            return made
