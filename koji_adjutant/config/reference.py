"""The reference docs/configuration.md and the samples in etc/, written from the models so that they cannot lag behind.

`python -m koji_adjutant.config.reference [DIRECTORY]` writes them below DIRECTORY (default: here).
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from koji_adjutant.config.environment import FIXED, variables
from koji_adjutant.config.hosts import HostEntry
from koji_adjutant.config.images import ImageRule, PullRule
from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.config.kojid_texts import GROUPS, OptionText
from koji_adjutant.config.kubernetes_rules import NamespaceRule, ResourceClass, Toleration
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.config.quantities import format_size

_WIDTH = 100
_ENTRIES: Mapping[str, type[BaseModel]] = {
    "images.rules": ImageRule,
    "images.pull.rules": PullRule,
    "kubernetes.namespaces": NamespaceRule,
    "kubernetes.tolerations": Toleration,
    "kubernetes.resource_classes": ResourceClass,
    "hosts": HostEntry,
}


def reference() -> str:
    """Return docs/configuration.md."""
    parts = [_INTRODUCTION, _ADJUTANT_HEAD, *_sections(AdjutantConfig, ""), _variables(), _KOJID_HEAD, *_kojid_tables()]
    return "\n".join(parts)


def sample_adjutant() -> str:
    """Return etc/adjutant.yaml: prose behind `##`, settings with their defaults behind `#`, section names live."""
    return _ADJUTANT_SAMPLE_HEAD + "\n".join(_sample_lines(AdjutantConfig, "")) + "\n"


def sample_kojid() -> str:
    """Return etc/kojid.conf: prose behind `#`, options with their defaults (or an example) behind `;`."""
    lines = [_KOJID_SAMPLE_HEAD]
    for title, options in GROUPS.items():
        lines.append(f"\n# ---- {title}")
        for name, text in options.items():
            lines += ["", *_prose(text.meaning, "# "), f";{name} = {text.example or kojid_default(name)}"]
    return "\n".join([*lines, _RLIMIT_SAMPLE])


def kojid_default(name: str) -> str:
    """Write the default of an option as it would stand in kojid.conf; empty for none."""
    value = KojidOptions.__dataclass_fields__[name].default
    if isinstance(value, tuple):
        return " ".join(value)
    return str(value) if isinstance(value, (str, int)) else ""


FILES: Mapping[str, Callable[[], str]] = {
    "docs/configuration.md": reference,
    "etc/adjutant.yaml": sample_adjutant,
    "etc/kojid.conf": sample_kojid,
}
"""Generated files by their path in the repository."""


def _sections(model: type[BaseModel], prefix: str) -> Iterator[str]:
    simple = {name: info for name, info in model.model_fields.items() if _submodel(info) is None}
    yield _table(prefix, simple)
    for name, info in model.model_fields.items():
        below = _submodel(info)
        if below is not None:
            yield f"\n### {prefix}{name}\n\n{info.description}\n"
            yield from _sections(below, f"{prefix}{name}.")
        elif prefix + name in _ENTRIES:
            yield f"\nEach entry of `{prefix}{name}`:\n"
            yield _table("", _ENTRIES[prefix + name].model_fields)


def _table(prefix: str, fields: Mapping[str, FieldInfo]) -> str:
    rows = [
        f"| `{prefix}{name}` | {_default_text(info)} | {_cell(info.description or '')} |"
        for name, info in fields.items()
    ]
    return "\n".join(["| key | default | meaning |", "| --- | --- | --- |", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default_text(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = _yaml_value(_default(info), info)
    return "none" if value == "null" else f"`{value}`"


def _submodel(info: FieldInfo) -> type[BaseModel] | None:
    kind = info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _default(info: FieldInfo) -> Any:
    return info.get_default(call_default_factory=True)


def _yaml_value(value: Any, info: FieldInfo) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        is_size = any("parse_size" in repr(part) for part in info.metadata)
        return format_size(value) if is_size else str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return str(value) if value != {} else "{}"


def _sample_lines(model: type[BaseModel], indent: str) -> Iterator[str]:
    for name, info in model.model_fields.items():
        below = _submodel(info)
        yield ""
        yield from _prose(info.description or "", f"{indent}## ")
        if below is None:
            value = _yaml_value(_default(info), info)
            yield f"{indent}#{name}: {value}"
        else:
            yield f"{indent}{name}:"
            yield from _sample_lines(below, f"{indent}  ")


def _prose(text: str, mark: str) -> list[str]:
    return [mark + line for line in textwrap.wrap(text, _WIDTH - len(mark), break_on_hyphens=False)]


def _variables() -> str:
    regular = [name for name in variables() if name not in FIXED]
    fixed = [f"| `{name}` | `{'.'.join(path)}` |" for name, path in FIXED.items()]
    listed = textwrap.fill(", ".join(f"`{name}`" for name in regular), 120, break_on_hyphens=False)
    return "\n".join([_VARIABLES_HEAD, listed, "\nBeside these:\n", "| variable | key |", "| --- | --- |", *fixed])


def _kojid_tables() -> Iterator[str]:
    for title, options in GROUPS.items():
        yield f"\n### {title}\n\n| option | default | meaning |\n| --- | --- | --- |"
        for name, text in options.items():
            yield f"| `{name}` | {_kojid_cell(name, text)} | {_cell(text.meaning)} |"
    yield _RLIMIT_TEXT


def _kojid_cell(name: str, text: OptionText) -> str:
    default = kojid_default(name)
    if text.meaning.endswith(". Required.") or ". Required. " in text.meaning:
        return "required"
    if not default or (text.example and name != "mock_bootstrap_image"):
        return "none"
    return f"`{default}`"


_INTRODUCTION = """\
# Configuration

Two files: `/etc/kojid/kojid.conf` is read exactly as kojid reads it, so that a builder can go back to kojid at any time;
`/etc/koji-adjutant/adjutant.yaml` holds what kojid has no word for. `koji-adjutant config` prints the effective values of
both, secrets hidden; `koji-adjutant check` says what is wrong with them and with what they name.

This page is written by `python -m koji_adjutant.config.reference` from the models; change those.
"""
_ADJUTANT_HEAD = """\
## adjutant.yaml

`ADJUTANT_CONFIG` names another file; a missing default file is an empty one, a missing named file is an error. The whole is
checked at start-up: an unknown key, a wrong type or a contradiction is refused, all problems at once. Sizes may be written as
`512MiB` or `4GiB`, times as seconds or `15m`, `12h`, `7d`.
"""
_VARIABLES_HEAD = """
### Variables

A variable beats the file. An empty one counts as not set. Every key that is not a list has one:
"""
_KOJID_HEAD = """
## kojid.conf

One section, `[kojid]`; any other section and any unknown option are refused, as by kojid. A directory given with `--config`
means all its `*.conf`. A missing file is an empty one. Command line options beat the file.
"""
_RLIMIT_TEXT = """
`RLIMIT_NAME = soft [hard]` sets a resource limit of the daemon, for each name of setrlimit(2).
"""
_RLIMIT_SAMPLE = """
# ---- Limits of the daemon itself: RLIMIT_NAME = soft [hard]
;RLIMIT_NOFILE = 65536 65536
"""
_ADJUTANT_SAMPLE_HEAD = """\
## koji-adjutant: what kojid.conf has no word for. All settings are shown with their defaults.
## To change one, remove the `#` before it. `koji-adjutant check` validates the file.
## Sizes: 512MiB, 4GiB. Times: seconds, or 15m, 12h, 7d.
"""
_KOJID_SAMPLE_HEAD = """\
# The builder's configuration, as kojid has it. Options are shown with their defaults, or with an example where there is
# none. To change one, remove the `;` before it. `server` and `topurl` are needed.
[kojid]"""


def main() -> None:
    """Write all generated files below the directory given, or the working directory."""
    parser = argparse.ArgumentParser(description="Write docs/configuration.md and the samples in etc/.")
    parser.add_argument("directory", nargs="?", type=Path, default=Path(), help="where to write (default: here)")
    root = parser.parse_args().directory
    for name, make in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
