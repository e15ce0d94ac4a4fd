"""`/etc/kojid/plugins/runroot.conf`, read as the runroot plugin reads it, with the plugin's complaints (contract 4.7)."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass
from pathlib import Path

import koji

FILE_NAME = "runroot.conf"


@dataclass(frozen=True)
class PathSection:
    """A section `[pathN]`: what stands at and below `mountpoint` comes from `path`."""

    mountpoint: str
    path: str
    fstype: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class RunrootConfig:
    """What an operator allows a runroot task to see of the host."""

    default_mounts: tuple[str, ...] = ()
    safe_roots: tuple[str, ...] = ()
    path_subs: tuple[tuple[str, str], ...] = ()
    paths: tuple[PathSection, ...] = ()
    internal_dev_setup: bool | None = None


def read_runroot_config(directory: Path) -> RunrootConfig:
    """Read `runroot.conf` of a directory of plugin configurations; a missing file is an empty one.

    Raises:
        koji.GenericError: the plugin's texts, or what the file's syntax is at fault of.
    """
    path = directory / FILE_NAME
    try:
        return parse_runroot_config(koji.read_config_files(str(path)))
    except (configparser.Error, ValueError) as error:
        raise koji.GenericError(f"bad config: {path}: {error}") from error


def parse_runroot_config(parser: configparser.ConfigParser) -> RunrootConfig:
    """Turn the parsed file into the configuration (pure but for the parser)."""
    config = RunrootConfig(
        default_mounts=_list(parser, "default_mounts"),
        safe_roots=_list(parser, "safe_roots"),
        path_subs=_substitutions(parser),
        paths=_sections(parser),
        internal_dev_setup=parser.getboolean("runroot", "internal_dev_setup", fallback=None),
    )
    for path in (*config.default_mounts, *config.safe_roots, *(old for old, _ in config.path_subs)):
        if not path.startswith("/"):
            raise koji.GenericError(
                f"bad config: all paths (default_mounts, safe_roots, path_subs) needs to be absolute: {path}"
            )
    return config


def _list(parser: configparser.ConfigParser, name: str) -> tuple[str, ...]:
    text = parser.get("paths", name, fallback=None)
    return () if text is None else tuple(part.strip() for part in text.split(","))


def _substitutions(parser: configparser.ConfigParser) -> tuple[tuple[str, str], ...]:
    found = []
    for line in parser.get("paths", "path_subs", fallback="").splitlines():
        if not line.strip():
            continue
        parts = line.strip().split(",")
        if len(parts) != 2:
            raise koji.GenericError(f"bad runroot substitution: {parts}")
        found.append((parts[0], parts[1]))
    return tuple(found)


def _sections(parser: configparser.ConfigParser) -> tuple[PathSection, ...]:
    # By number: a path may lie within the mount point of a later one.
    numbered = [(int(match[1]), match[0]) for match in map(_path_section, parser.sections()) if match]
    return tuple(_section(parser, name) for _, name in sorted(numbered))


def _path_section(name: str) -> re.Match[str] | None:
    return re.fullmatch(r"path(\d+)", name)


def _section(parser: configparser.ConfigParser, name: str) -> PathSection:
    try:
        mountpoint, path, fstype, options = (
            parser.get(name, key) for key in ("mountpoint", "path", "fstype", "options")
        )
    except configparser.NoOptionError as error:
        raise koji.GenericError(f"bad config: missing options in {name} section") from error
    return PathSection(mountpoint, path, fstype, tuple(option.strip() for option in options.split(",")))
