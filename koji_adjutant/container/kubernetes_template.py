"""`kubernetes.pod_template`, merged onto a generated pod as `kubectl patch --type strategic` does; pure functions.

Mappings are merged key by key, `null` removes a key. Lists whose entries have a merge key are merged entry by entry, all
others replaced. `$patch: delete` and `$patch: replace` and `$retainKeys` are understood. One difference: tolerations are
merged by key and effect, so that a template adds to those of the settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from koji_adjutant.container.kubernetes_labels import PREFIX
from koji_adjutant.errors import ConfigurationError

MERGE_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "ports": ("containerPort",),
    "resourceClaims": ("name",),
    "schedulingGates": ("name",),
    "tolerations": ("key", "effect"),
    "topologySpreadConstraints": ("topologyKey",),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
"""What tells the entries of a list apart, by the list's name. Other lists are replaced as a whole."""
PATCH, RETAIN = "$patch", "$retainKeys"
PROTECTED_SPEC = (
    "automountServiceAccountToken",
    "enableServiceLinks",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostUsers",
    "restartPolicy",
    "shareProcessNamespace",
)
"""What keeps a build in its place and the daemon able to trust the pod."""
PROTECTED_CONTAINER = ("args", "command", "image", "stdin", "tty", "workingDir")
"""Of the containers of ours."""


def apply_template(pod: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """`pod` with `template` merged onto it; neither is changed.

    Raises:
        ConfigurationError: the template changes what it may not, or is none; names each place.
    """
    merged = merge(pod, template)
    broken = sorted(_broken(pod, merged))
    if broken:
        raise ConfigurationError(
            f"kubernetes.pod_template changes what it may not: {', '.join(broken)}",
            details="A task's pod could then be lost, run twice, or reach what is not its own.",
            resolution="Take it out of kubernetes.pod_template; what can be chosen of it has a setting below kubernetes.",
        )
    return merged


def merge(base: Mapping[str, Any], patch: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """The strategic merge of `patch` onto `base`."""
    directive = patch.get(PATCH)
    _check_directives(patch, path)
    fields = {key: value for key, value in patch.items() if not key.startswith("$")}
    if directive == "delete":
        return {}
    result = {} if directive == "replace" else dict(base)
    if RETAIN in patch:
        result = {key: value for key, value in result.items() if key in patch[RETAIN]}
    for key, value in fields.items():
        result[key] = _merged(result.get(key), value, key, f"{path}.{key}" if path else key)
    return {key: value for key, value in result.items() if value is not None}


def _merged(old: Any, new: Any, name: str, path: str) -> Any:
    if isinstance(new, Mapping):
        if new.get(PATCH) == "delete":
            _check_directives(new, path)
            return None
        return merge(old if isinstance(old, Mapping) else {}, new, path)
    if isinstance(new, list) and name in MERGE_KEYS:
        return _merged_list(old if isinstance(old, list) else [], new, MERGE_KEYS[name], path)
    return new


def _merged_list(
    old: Sequence[Mapping[str, Any]], new: Sequence[Any], keys: tuple[str, ...], path: str
) -> list[dict[str, Any]]:
    for entry in new:
        if not isinstance(entry, Mapping):
            raise _no_template(path, f"{entry!r} is no mapping")
    replaced = any(set(entry) == {PATCH} and entry[PATCH] == "replace" for entry in new)
    entries = [] if replaced else [dict(entry) for entry in old]
    for patch in new:
        if set(patch) != {PATCH}:
            _put(entries, patch, keys, path)
        elif patch[PATCH] != "replace":
            raise _no_template(path, f"{PATCH}: {patch[PATCH]} without {keys[0]}")
    return entries


def _put(entries: list[dict[str, Any]], patch: Mapping[str, Any], keys: tuple[str, ...], path: str) -> None:
    if keys[0] not in patch and len(keys) == 1:
        raise _no_template(path, f"an entry has no {keys[0]}, by which entries are told apart")
    wanted = _identity(patch, keys)
    place = f"{path}[{'/'.join(map(str, wanted))}]"
    found = [number for number, entry in enumerate(entries) if _identity(entry, keys) == wanted]
    if patch.get(PATCH) == "delete":
        _check_directives(patch, place)
        entries[:] = [entry for number, entry in enumerate(entries) if number not in found]
    elif found:
        entries[found[0]] = merge(entries[found[0]], patch, place)
    else:
        entries.append(merge({}, patch, place))


def _identity(entry: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(entry.get(key) for key in keys)


def _check_directives(patch: Mapping[str, Any], path: str) -> None:
    unknown = sorted(key for key in patch if key.startswith("$") and key not in (PATCH, RETAIN))
    if unknown:
        raise _no_template(path, f"{', '.join(unknown)} is not understood; {PATCH} and {RETAIN} are")
    if patch.get(PATCH, "merge") not in ("merge", "replace", "delete"):
        raise _no_template(path, f"{PATCH}: {patch[PATCH]} is not understood; merge, replace and delete are")


def _broken(pod: Mapping[str, Any], merged: Mapping[str, Any]) -> set[str]:
    """Places that the merge changed and must not have."""
    before, after = pod["metadata"], merged.get("metadata", {})
    broken = {f"metadata.{key}" for key in ("name", "namespace") if after.get(key) != before.get(key)}
    for kind in ("labels", "annotations"):
        old, new = before.get(kind) or {}, after.get(kind) or {}
        broken |= {f"metadata.{kind}.{k}" for k in {*old, *new} if k.startswith(PREFIX) and old.get(k) != new.get(k)}
    old, new = pod["spec"], merged.get("spec", {})
    broken |= {f"spec.{key}" for key in PROTECTED_SPEC if old.get(key) != new.get(key)}
    for kind in ("containers", "initContainers"):
        broken |= _broken_containers(old.get(kind) or [], new.get(kind) or [], f"spec.{kind}")
    return broken


def _broken_containers(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], path: str) -> set[str]:
    left = {entry["name"]: entry for entry in new}
    broken = {f"{path}[{entry['name']}]" for entry in old if entry["name"] not in left}
    for entry in old:
        now = left.get(entry["name"], entry)
        place = f"{path}[{entry['name']}]"
        broken |= {f"{place}.{key}" for key in PROTECTED_CONTAINER if entry.get(key) != now.get(key)}
        lost = {m["mountPath"] for m in entry["volumeMounts"] if m not in now.get("volumeMounts", [])}
        broken |= {f"{place}.volumeMounts[{target}]" for target in lost}
    return broken


def _no_template(path: str, said: str) -> ConfigurationError:
    return ConfigurationError(
        f"kubernetes.pod_template: {path or 'top'}: {said}",
        resolution="It is a part of a Pod as in a manifest: `metadata` and `spec`.",
    )
