"""`ADJUTANT_*` variables: each scalar of adjutant.yaml can be set by `ADJUTANT_<SECTION>_<KEY>`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_origin

from pydantic import BaseModel

from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.config.secrets import masked

KeyPath = tuple[str, ...]
PREFIX = "ADJUTANT_"
CONFIG_VARIABLE = "ADJUTANT_CONFIG"
FIXED: Mapping[str, KeyPath] = {
    "ADJUTANT_CONTAINER_RUNTIME": ("runtime",),
    "ADJUTANT_K8S_NAMESPACE": ("kubernetes", "namespace"),
    "ADJUTANT_K8S_CONFIG": ("kubernetes", "config"),
    "ADJUTANT_K8S_SERVICE_ACCOUNT": ("kubernetes", "service_account"),
    "ADJUTANT_K8S_NODE_SELECTOR": ("kubernetes", "node_selector"),
    "ADJUTANT_K8S_STORAGE_CLASS": ("kubernetes", "storage_class"),
}
"""Names fixed by design section 2, beside the regular ones."""
_FOREIGN = ("ADJUTANT_TEST_", "ADJUTANT_SERVICE_", "ADJUTANT_PORT")
"""Of the test harness, and what Kubernetes sets for a service named `adjutant`."""


@dataclass
class Overrides:
    """What the environment says: values as one nested mapping, the variable of each key, and what is wrong."""

    values: dict[str, Any] = field(default_factory=dict)
    variables: dict[KeyPath, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def variables() -> dict[str, KeyPath]:
    """Map every variable that is understood to the key it sets."""
    regular = {PREFIX + "_".join(path).upper(): path for path in _scalars(AdjutantConfig, ())}
    return {**regular, **FIXED}


def read_overrides(environ: Mapping[str, str]) -> Overrides:
    """Collect the overrides of `environ`. An empty variable counts as not set, as manifests often leave them so."""
    known = variables()
    found = Overrides()
    for name in sorted(name for name, text in environ.items() if name.startswith(PREFIX) and text):
        if name in known:
            _set(found, known[name], name, environ)
        elif name != CONFIG_VARIABLE and not name.startswith(_FOREIGN):
            _suspect(found, name, known)
    return found


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the nested values of `over` put over it; neither is changed."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merge(below if isinstance(below, dict) else {}, value) if isinstance(value, dict) else value
    return result


def _scalars(model: type[BaseModel], path: KeyPath) -> Iterator[KeyPath]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _scalars(info.annotation, (*path, name))
        elif get_origin(info.annotation) is not tuple:
            yield (*path, name)


def _set(found: Overrides, path: KeyPath, name: str, environ: Mapping[str, str]) -> None:
    other = found.variables.get(path)
    if other and environ[other] != environ[name]:
        key = ".".join(path)
        shown = (masked(key, environ[other]), masked(key, environ[name]))
        found.problems.append(f"{other}={shown[0]} and {name}={shown[1]} both set {key}: unset one of them")
    found.variables[path] = name
    nested: Any = environ[name]
    for key in reversed(path):
        nested = {key: nested}
    found.values = merge(found.values, nested)


def _suspect(found: Overrides, name: str, known: Mapping[str, KeyPath]) -> None:
    near = difflib.get_close_matches(name, [*known, CONFIG_VARIABLE], n=1, cutoff=0.85)
    if near:
        found.problems.append(f"environment: {name}: unknown variable: did you mean {near[0]}? Rename or unset it")
