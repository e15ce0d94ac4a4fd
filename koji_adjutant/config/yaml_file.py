"""One YAML file as a mapping, with errors that say where."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from koji_adjutant.errors import ConfigurationError


def read_mapping(path: Path) -> dict[str, Any]:
    """Read `path`; an empty file is an empty mapping.

    Raises:
        FileNotFoundError: there is no such file.
        ConfigurationError: unreadable, not UTF-8, broken YAML (with line and column), a key twice, not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 -- derived from SafeLoader
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read: {error.strerror}", resolution="Make it a file the daemon's user may read."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path}: not UTF-8 at byte {error.start}", resolution="Save the file as UTF-8 text."
        ) from error
    except yaml.MarkedYAMLError as error:
        raise _broken(path, error) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: broken YAML: {error}", resolution="Mend the file.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"{path}: the file is a {type(content).__name__}, not a mapping",
            resolution="Write `key: value` lines; see docs/configuration.md for the keys.",
        )
    return content


def _broken(path: Path, error: yaml.MarkedYAMLError) -> ConfigurationError:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "unknown place"
    what = ": ".join(part for part in (error.context, error.problem) if part)
    return ConfigurationError(
        f"{path}: broken YAML at {where}: {what}",
        details=(mark.get_snippet() or "") if mark else "",
        resolution=f"Mend {where} of the file; indent with spaces, and quote text that holds `: ` or begins with a sign.",
    )


class _UniqueKeys(yaml.SafeLoader):
    """YAML lets the last of two equal keys win in silence; here it is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise yaml.MarkedYAMLError(
                        None, None, f"key {key.value!r} stands here a second time", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)
