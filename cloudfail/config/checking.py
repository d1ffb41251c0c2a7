"""A pydantic model's errors → mistakes with line and column, in words that help."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from cloudfail.config.document import Document, Path, Scalar, plain, text_of
from cloudfail.config.mistakes import Mistakes, did_you_mean, shown
from cloudfail.secrecy import NOT_SHOWN, secret

M = TypeVar("M", bound=BaseModel)

BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
    "string_too_short": ("text of a length of at least", "min_length"),
    "string_too_long": ("text of a length of at most", "max_length"),
    "too_short": ("of a length of at least", "min_length"),
    "too_long": ("of a length of at most", "max_length"),
}


def validated(model: type[M], document: Document, path: Path, mistakes: Mistakes, data: Any = None) -> M | None:
    """The part of `document` at `path` as `model`, or None after its mistakes were noted. `data` stands in for it
    where only some of its keys are the model's."""
    node, _, _ = document.find(path)
    try:
        return model.model_validate(plain(node) if data is None else data)
    except ValidationError as error:
        told = [_note(model, document, path, one, mistakes) for one in error.errors(include_url=False)]
        if not any(told):
            place = document.place(*path)
            problem = f"this has not the form that {model.__name__} reads"
            mistakes.add(place.file, place.line, place.column, place.text, problem, str(error.errors()[0]["msg"]))
    except Exception as error:  # noqa: BLE001 - a provider's own validator may raise anything; nobody gets a traceback
        place = document.place(*path)
        name = f"{type(error).__name__}: {shown(str(error))}"
        problem = f"the provider's check of this failed ({name})"
        mistakes.add(place.file, place.line, place.column, place.text, problem, "report this to the provider's authors")
    return None


def _note(model: type[BaseModel], document: Document, path: Path, error: Mapping[str, Any], mistakes: Mistakes) -> bool:
    """Whether this one error was told."""
    loc = tuple(part for part in error["loc"] if part != "[key]")
    kind, whole = error["type"], (*path, *loc)
    on_key = kind == "extra_forbidden" or "[key]" in error["loc"]
    node, key_node, exists = document.find(whole)
    if kind in ("literal_error", "string_type") and not exists and not isinstance(node, Scalar):
        return False  # one alternative of several, and what was written is meant to be another
    at = key_node if on_key and key_node is not None else node
    named = [str(part) for end, part in enumerate(whole, 1) if isinstance(part, str) and document.find(whole[:end])[2]]
    last = named[-1] if named else "this"
    written = text_of(node)
    if kind == "extra_forbidden":
        last = str(whole[-1])
        problem, instead = f'unknown key "{shown(last)}"', did_you_mean(last, keys_at(model, loc[:-1]))
    elif kind == "missing":
        problem, instead = f'"{whole[-1]}" is missing', f"write {whole[-1]}: …"
    else:
        hidden = isinstance(node, Scalar) and secret(last, written) is not None
        value = node.value if isinstance(node, Scalar) else None
        problem, instead = _words(kind, last, value, NOT_SHOWN if hidden else written, error)
        if hidden:
            mistakes.add(document.file, at.line, at.column, NOT_SHOWN, problem.replace(written, "…"), instead)
            return True
    mistakes.add(document.file, at.line, at.column, text_of(at), problem, instead)
    return True


def _words(kind: str, name: str, value: object, written: str, error: Mapping[str, Any]) -> tuple[str, str]:
    """The sentence and the advice for one of pydantic's error types."""
    context = error.get("ctx") or {}
    if kind == "cloudfail":
        return str(context["problem"]), str(context["instead"])
    if isinstance(value, NoneType) and written in ("", "~", "null"):
        return f'"{name}" is empty', f"write a value, or remove {name}"
    if kind == "string_type":
        if isinstance(value, bool | int | float):
            return f'"{name}" must be text, and this is not', f'put it in quotes: "{shown(written)}"'
        return f'"{name}" must be text', f"write {name}: text"
    if kind == "int_type":
        digits = written.lstrip("0")
        return f'"{name}" must be a whole number', f"write {digits if digits.isdecimal() else 3}"
    if kind == "bool_type":
        meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(written.lower(), "true or false")
        return f'"{name}" must be true or false', f"write {meant}"
    if kind == "literal_error":
        known = [word.strip(" '") for word in str(context.get("expected", "")).replace(" or ", ",").split(",")]
        return f'"{name}" cannot be "{shown(written)}"', did_you_mean(written, known, "one of")
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return f'"{name}" must be a mapping', f"write keys below {name}, each as `key: value`"
    if kind in ("list_type", "tuple_type"):
        return f'"{name}" must be a list', f"write [{shown(written)}]"
    if kind in BOUNDS:
        words, key = BOUNDS[kind]
        bound = context.get(key, "")
        return f'"{name}" must be {words} {bound}', f"write {words} {bound}"
    if kind == "string_pattern_mismatch":
        return f'"{name}" does not have the form that is read', f"write text of the form {context.get('pattern', '')}"
    if kind == "value_error":
        said = str(context.get("error") or error.get("msg", ""))
        problem, _, cure = said.partition("; ")
        return f'"{name}": {problem}', cure or "see the documentation of this key"
    message = str(error.get("msg", "this is wrong"))
    return f'"{name}": {message[:1].lower()}{message[1:]}', "see the documentation of this key"


def keys_at(model: type[BaseModel], loc: Path) -> list[str]:
    """The keys that may stand at `loc` of a file of this model."""
    found: Any = model
    for part in loc:
        found = _inside(found, part)
    models = [one for one in _alternatives(found) if isinstance(one, type) and issubclass(one, BaseModel)]
    return [field.alias or name for one in models for name, field in one.model_fields.items()]


def _alternatives(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [inner for one in get_args(annotation) for inner in _alternatives(one)]
    return [annotation]


def _inside(annotation: Any, part: str | int) -> Any:
    for one in _alternatives(annotation):
        if isinstance(one, type) and issubclass(one, BaseModel):
            for name, field in one.model_fields.items():
                if part in (name, field.alias):
                    return field.annotation
            if part == one.__name__:
                return one
        elif get_origin(one) in (dict, list, tuple, set, frozenset, Mapping):
            return next((inner for inner in reversed(get_args(one)) if inner is not Ellipsis), None)
    return None


def loose_models(model: type[Any], seen: frozenset[str] = frozenset()) -> list[str]:
    """Names of the models below `model` that would let an unknown key pass."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return [str(model)]
    if model.__name__ in seen:
        return []
    loose = [] if model.model_config.get("extra") == "forbid" else [model.__name__]
    for field in model.model_fields.values():
        for inner in _models_in(field.annotation):
            loose += loose_models(inner, seen | {model.__name__})
    return loose


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    for one in _alternatives(annotation):
        if isinstance(one, type) and issubclass(one, BaseModel):
            found.append(one)
        else:
            found += [inner for argument in get_args(one) for inner in _models_in(argument)]
    return found
