"""What must not be shown: values of secret names, credentials and session keys inside texts."""

from __future__ import annotations

import re

MASK = "***"
SECRET_NAMES = frozenset(
    {
        "password",
        "passwd",
        "smtp_pass",
        "key",
        "session_key",
        "sessionkey",
        "token",
        "secret",
        "authorization",
        "private_key",
    }
)
"""Names compared in lower case with `-` as `_`."""

_IN_TEXT = (
    # user:password@ of a URL; the user alone is no secret but often a token
    (re.compile(r"(?P<keep>\b[a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s'\"@]+@"), rf"\g<keep>{MASK}@"),
    # koji puts its session key into the query of each call's URL
    (re.compile(r"(?P<keep>\bsession[-_]?key['\"]?\s*[=:]\s*['\"]?)[^&\s'\",)}]+", re.IGNORECASE), rf"\g<keep>{MASK}"),
    (
        re.compile(r"(?P<keep>\b(?:password|smtp_pass)['\"]?\s*[=:]\s*['\"]?)[^&\s'\",)}]+", re.IGNORECASE),
        rf"\g<keep>{MASK}",
    ),
)


def is_secret_name(name: str) -> bool:
    """Say whether a value under this name is never shown."""
    return name.lower().replace("-", "_") in SECRET_NAMES


def mask_text(text: str) -> str:
    """Hide credentials in URLs, koji session keys and `password=...` inside a text."""
    for pattern, replacement in _IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def masked(name: str, value: object) -> object:
    """Return `value` fit to be shown under `name`: mappings and lists likewise, an unset secret stays visible as unset."""
    if is_secret_name(name) and value not in (None, ""):
        return MASK
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict):
        return {key: masked(str(key), item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(name, item) for item in value]
    return value
