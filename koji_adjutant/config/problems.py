"""Everything wrong with adjutant.yaml, said at once: source, key, value, what is wrong, remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from koji_adjutant.config.environment import KeyPath
from koji_adjutant.config.secrets import mask_text, masked


def describe(
    error: ValidationError, model: type[BaseModel], source: str, variables: Mapping[KeyPath, str]
) -> list[str]:
    """Return one line per problem. `source` names the file; `variables` the ones that set a key instead of it."""
    lines = []
    for problem in error.errors(include_url=False):
        path = tuple(problem["loc"])
        lines.append(_line(problem["type"], problem["msg"], path, problem.get("input"), model, source, variables))
    return lines


def _line(
    kind: str,
    message: str,
    path: Sequence[str | int],
    value: Any,
    model: type[BaseModel],
    source: str,
    variables: Mapping[KeyPath, str],
) -> str:
    key = format_key(path)
    if kind == "extra_forbidden":
        return f"{source}: {key}: unknown key: {_nearest(model, path)}"
    where = variables.get(tuple(str(part) for part in path), source)
    said = mask_text(_wording(kind, message))
    shown = "" if kind == "missing" or isinstance(value, (dict, BaseModel)) else _show(path, value)
    parts = [where, key, "" if shown in said else shown, said]
    return ": ".join(part for part in parts if part) + _remedy(_field(model, path))


def _wording(kind: str, message: str) -> str:
    if kind in ("model_type", "model_attributes_type", "dict_type", "mapping_type"):
        return "should be a mapping of keys to values"
    said = message.removeprefix("Value error, ").removeprefix("Input ")
    return (
        said if said == message.removeprefix("Value error, ") and kind == "value_error" else said[:1].lower() + said[1:]
    )


def format_key(path: Sequence[str | int]) -> str:
    """Write a key path as people do: `images.rules[0].tag`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _show(path: Sequence[str | int], value: Any) -> str:
    names = [str(part) for part in path if isinstance(part, str)]
    return repr(masked(names[-1] if names else "", value))


def _nearest(model: type[BaseModel], path: Sequence[str | int]) -> str:
    parent = _model_at(model, path[:-1])
    known = list(parent.model_fields) if parent else []
    near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]}?"
    return f"remove it; known here: {', '.join(known)}"


def _remedy(info: FieldInfo | None) -> str:
    if info is None or not info.description:
        return ""
    return f" ({info.description})"


def _field(model: type[BaseModel], path: Sequence[str | int]) -> FieldInfo | None:
    names = [part for part in path if isinstance(part, str)]
    if not names:
        return None
    parent = _model_at(model, names[:-1])
    return parent.model_fields.get(names[-1]) if parent else None


def _model_at(model: type[BaseModel], path: Sequence[str | int]) -> type[BaseModel] | None:
    current: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, int):
            continue
        info = current.model_fields.get(part) if current else None
        current = _model_in(info.annotation) if info else None
    return current


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the model in `Model`, `tuple[Model, ...]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
