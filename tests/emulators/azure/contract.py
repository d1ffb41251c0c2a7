"""Microsoft's own description of its APIs, as its azure-mgmt packages carry it: which operation a request is, in which
version, which statuses it may be answered with, and what in a body is not as the package's models say.

Read from the packages' source, since what they send is written there and nowhere else on this machine.
"""

from __future__ import annotations

import ast
import enum
import functools
import importlib
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

# What a path's parameter may hold, slashes and all: a whole resource's id.
_WHOLE_IDS = {"resourceuri", "scope", "resourceid", "resourcescope"}
_MODEL = re.compile(r"_models\d*\.(\w+)")


@dataclass(frozen=True)
class Operation:
    """One operation. name: "endpoints.update", as its group and method are named. body, reply: models' names, "" for
    none. paged: the reply is a page of them. polled: a long-running operation."""

    name: str
    method: str
    path: re.Pattern[str]
    weight: int
    version: str
    statuses: frozenset[int]
    body: str
    reply: str
    paged: bool
    polled: bool


class Contract:
    """Of one package: "azure.mgmt.trafficmanager"."""

    def __init__(self, package: str) -> None:
        self.package = package
        self._models = importlib.import_module(f"{package}.models")
        place = Path(str(importlib.import_module(package).__file__)).parent / "operations"
        self.operations = tuple(_operations([ast.parse(file.read_text()) for file in sorted(place.glob("_*.py"))]))

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation at that path, and what stands in it. Of several, the one with the most words of its own."""
        best: tuple[Operation, dict[str, str]] | None = None
        for one in self.operations:
            if one.method == method and (found := one.path.fullmatch(path)) is not None:
                if best is None or one.weight > best[0].weight:
                    best = one, {name: unquote(value) for name, value in found.groupdict().items()}
        return best

    def offences(self, model: str, value: Any, *, asked: bool) -> list[str]:
        """What in `value` is not as that model says; empty where all is well. asked: it is a request's body, in which
        nothing stands that only Azure may write."""
        return list(_offences(getattr(self._models, model), value, "", asked))


@functools.cache
def contract(package: str) -> Contract:
    return Contract(package)


# ---- the operations


@dataclass(frozen=True)
class _Request:
    method: str
    url: str
    version: str


def _operations(trees: list[ast.Module]) -> Iterator[Operation]:
    shared = {name: made for tree in trees for name, made in _builders(tree).items()}
    for tree in trees:
        own = {**shared, **_builders(tree)}
        for group in tree.body:
            if not isinstance(group, ast.ClassDef):
                continue
            methods = {one.name: one for one in group.body if isinstance(one, ast.FunctionDef)}
            for name, method in methods.items():
                if made := _operation(
                    _snake(group.name.removesuffix("Operations") or group.name), name, method, methods, own
                ):
                    yield made


def _operation(
    group: str,
    name: str,
    method: ast.FunctionDef,
    methods: Mapping[str, ast.FunctionDef],
    builders: Mapping[str, _Request],
) -> Operation | None:
    named = [one.func.id for one in ast.walk(method) if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)]
    request = next((builders[one] for one in named if one in builders), None)
    if request is None:
        return None
    polled = name.startswith("_") and name.endswith("_initial")
    public = methods.get("begin_" + name.removeprefix("_").removesuffix("_initial"), method) if polled else method
    told = _union(public)
    returned = ast.unparse(public.returns) if public.returns else ""
    return Operation(
        name=f"{group}.{public.name.removeprefix('begin_')}",
        method=request.method,
        path=_pattern(request.url),
        weight=len(re.sub(r"\{\w+\}", "", request.url)),
        version=request.version,
        statuses=frozenset(_statuses(method)),
        body=told,
        reply=found[1] if (found := _MODEL.search(returned)) else "",
        paged="ItemPaged" in returned,
        polled=polled,
    )


def _builders(tree: ast.Module) -> dict[str, _Request]:
    return {
        one.name: _request(one)
        for one in tree.body
        if isinstance(one, ast.FunctionDef) and one.name.startswith("build_")
    }


def _request(function: ast.FunctionDef) -> _Request:
    method = url = version = ""
    for one in ast.walk(function):
        if isinstance(one, ast.Assign) and getattr(one.targets[0], "id", "") == "_url":
            texts = [part.value for part in ast.walk(one.value) if isinstance(part, ast.Constant)]
            url = next((text for text in texts if isinstance(text, str) and text.startswith("/")), url)
        if isinstance(one, ast.Call) and getattr(one.func, "id", "") == "HttpRequest":
            method = next((str(part.value.value) for part in one.keywords if part.arg == "method"), "")  # type: ignore[attr-defined]
        if isinstance(one, ast.Call) and getattr(one.func, "attr", "") == "pop" and len(one.args) == 2:
            first, second = one.args
            if isinstance(first, ast.Constant) and first.value == "api-version" and isinstance(second, ast.Constant):
                version = str(second.value)
    return _Request(method, url, version)


def _union(method: ast.FunctionDef) -> str:
    """The body's model: of the parameters, the one whose type is a model and no enumeration's."""
    for argument in (*method.args.args, *method.args.kwonlyargs):
        told = ast.unparse(argument.annotation) if argument.annotation else ""
        if "_models" in told and "Union[str" not in told and (found := _MODEL.search(told)):
            return found[1]
    return ""


def _statuses(method: ast.FunctionDef) -> Iterator[int]:
    for one in ast.walk(method):
        if isinstance(one, ast.Compare) and isinstance(one.ops[0], ast.NotIn):
            if isinstance(one.left, ast.Attribute) and one.left.attr == "status_code":
                yield from ast.literal_eval(one.comparators[0])


def _pattern(url: str) -> re.Pattern[str]:
    def part(found: re.Match[str]) -> str:
        return f"(?P<{found[1]}>{'.+' if found[1].lower() in _WHOLE_IDS else '[^/]+'})"

    whole = re.sub(r"\\\{(\w+)\\\}", part, re.escape(url))
    if url.startswith(("/{resourceUri}", "/{scope}", "/{resourceId}")):
        whole = whole.replace("/(?P", "/?(?P", 1)
    return re.compile(whole, re.IGNORECASE)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])|(?<=[A-Z])([A-Z](?=[a-z]))", r"_\1\2", name).lower()


# ---- the bodies


def _offences(model: type, value: Any, where: str, asked: bool) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where or '/'}: no object, which {model.__name__} is"
        return
    fields = _fields(_told_apart(model, value))
    for key, one in value.items():
        if key not in fields:
            yield f"{where}/{key}: {model.__name__} has no such member"
            continue
        kind, only_read = fields[key]
        if asked and only_read and one is not None:
            yield f"{where}/{key}: only Azure writes that"
        yield from _of(kind, one, f"{where}/{key}", asked)


def _told_apart(model: type, value: Mapping[str, Any]) -> type:
    """Of an older model that stands for several, the one that the body says it is ("endpointType")."""
    for name, known in getattr(model, "_subtype_map", {}).items():
        said = value.get(model._attribute_map[name]["key"])  # type: ignore[attr-defined]
        if said in known:
            return typing.cast(type, getattr(importlib.import_module(model.__module__), known[said]))
    return model


Fields = dict[str, tuple[Any, bool]]


@functools.cache
def _fields(model: type) -> Fields:
    """By the name on the wire: its type, and whether only Azure writes it."""
    if hasattr(model, "_attribute_map"):
        return _mapped(model)
    model()  # the fields are there once one was made
    hints: dict[str, Any] = {}
    for base in reversed(model.__mro__):
        module = importlib.import_module(base.__module__)
        models = importlib.import_module(model.__module__.rpartition(".")[0])
        names = {**vars(module), "_models": models}
        for name, told in getattr(base, "__annotations__", {}).items():
            try:
                hints[name] = _resolved(eval(told, names, names) if isinstance(told, str) else told, names)
            except NameError:
                hints[name] = Any
    fields: Fields = {}
    for name, field in model._attr_to_rest_field.items():  # type: ignore[attr-defined]
        fields[field._rest_name] = (hints.get(name, Any), field._visibility == ["read"])
    return fields


def _resolved(kind: Any, names: Mapping[str, Any]) -> Any:
    """With the names of classes in it as the classes themselves."""
    if isinstance(kind, typing.ForwardRef):
        return eval(kind.__forward_arg__, dict(names))
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return typing.Union[tuple(_resolved(one, names) for one in arguments)]  # noqa: UP007
    if origin is list:
        return list[_resolved(arguments[0], names)]  # type: ignore[misc]
    return kind


class _Flat(dict[str, Any]):
    """An object of which the package has no class of its own: "properties" of an older model."""


def _mapped(model: type) -> Fields:
    """Of the older kind of model: `{"a": {"key": "properties.a", "type": "str"}}`."""
    module = importlib.import_module(model.__module__)
    tree: dict[str, Any] = _Flat()
    for name, told in model._attribute_map.items():  # type: ignore[attr-defined]
        keys = [key.replace("\\.", ".") for key in re.split(r"(?<!\\)\.", told["key"])]
        only_read = bool(model._validation.get(name, {}).get("readonly"))  # type: ignore[attr-defined]
        at = tree
        for key in keys[:-1]:
            at = at.setdefault(key, (_Flat(), False))[0]
        at[keys[-1]] = (_older(told["type"], module), only_read)
    return dict(tree)


def _older(told: str, module: types.ModuleType) -> Any:
    if told.startswith("["):
        return list[_older(told[1:-1], module)]  # type: ignore[misc]
    plain = {"str": str, "int": int, "long": int, "float": float, "bool": bool}
    return plain.get(told) or getattr(module, told, Any)


def _of(kind: Any, value: Any, where: str, asked: bool) -> Iterator[str]:
    if value is None or kind is Any:
        return
    if isinstance(kind, _Flat):
        yield from _of_flat(kind, value, where, asked)
        return
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        arguments = [one for one in typing.get_args(kind) if one is not type(None)]
        # "str or one of these" is written of every enumeration, so that an older package reads newer words.
        told = [one for one in arguments if isinstance(one, type) and issubclass(one, enum.Enum)] or arguments
        tried = [list(_of(one, value, where, asked)) for one in told]
        yield from min(tried, key=len, default=[])
    elif origin is list:
        if not isinstance(value, list):
            yield f"{where}: no list"
            return
        for index, one in enumerate(value):
            yield from _of(typing.get_args(kind)[0], one, f"{where}[{index}]", asked)
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"{where}: no object"
    elif isinstance(kind, type):
        yield from _of_class(kind, value, where, asked)


def _of_flat(kind: _Flat, value: Any, where: str, asked: bool) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: no object"
        return
    for key, one in value.items():
        if key not in kind:
            yield f"{where}/{key}: there is no such member"
            continue
        inner, only_read = kind[key]
        if asked and only_read and one is not None:
            yield f"{where}/{key}: only Azure writes that"
        yield from _of(inner, one, f"{where}/{key}", asked)


def _of_class(kind: type, value: Any, where: str, asked: bool) -> Iterator[str]:
    if issubclass(kind, enum.Enum):
        if value not in [one.value for one in kind]:
            yield f"{where}: {value!r} is none of {kind.__name__}"
    elif hasattr(kind, "_attribute_map") or any(base.__name__ in ("Model", "_Model") for base in kind.__mro__):
        yield from _offences(kind, value, where, asked)
    elif kind is bool:
        if not isinstance(value, bool):
            yield f"{where}: {value!r} is no truth value"
    elif kind is int:
        if not isinstance(value, int) or isinstance(value, bool):
            yield f"{where}: {value!r} is no whole number"
    elif kind is float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            yield f"{where}: {value!r} is no number"
    elif kind is str and not isinstance(value, str):
        yield f"{where}: {value!r} is no text"
