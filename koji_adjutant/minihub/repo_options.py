"""Options of a repo: sources, debuginfo, Maven; of the tag, of a request, and what of it is special."""

from __future__ import annotations

from typing import Any

import koji

from koji_adjutant.minihub.context import Context, convert

_KNOWN = ("src", "debuginfo", "separate_src", "maven")


def checked_options(opts: Any, *, strict: bool = False) -> dict[str, bool]:
    """Options as booleans; what is unknown is left out, or a ParameterError if strict."""
    if opts is None:
        return {}
    if not isinstance(opts, dict):
        if strict:
            raise koji.ParameterError("Repo opts must be a dictionary")
        return {}
    for name in opts:
        if strict and name not in _KNOWN:
            raise koji.ParameterError(f"Invalid repo option: {name}")
    return {name: convert(opts[name], bool) for name in opts if name in _KNOWN and opts[name] is not None}


def options_of(ctx: Context, tag: dict[str, Any], override: Any = None) -> tuple[dict[str, bool], dict[str, bool]]:
    """Options of a repo of the tag, and those of them that a request changed."""
    options = dict.fromkeys(_KNOWN, False)
    extra = tag["extra"]
    chosen = extra.get("repo.opts", {"debuginfo": extra["with_debuginfo"]} if "with_debuginfo" in extra else {})
    options |= checked_options(chosen)
    options["maven"] = ctx.state.options.enable_maven and (options["maven"] or tag["maven_support"])
    custom = {name: value for name, value in checked_options(override).items() if value != options[name]}
    return options | custom, custom
