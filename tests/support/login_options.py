"""Options of kojid for tests of the login."""

from __future__ import annotations

from typing import Any

from koji_adjutant.config.kojid_options import KojidOptions


def login_options(server: str, **changed: Any) -> KojidOptions:
    """Return options that fail fast."""
    values: dict[str, Any] = {
        "topurl": "http://127.0.0.1/none",
        "topurls": ("http://127.0.0.1/none",),
        "max_retries": 1,
        "retry_interval": 0,
        "timeout": 30,
        "keytab": "/nonexistent/keytab",
        "ccache": "/nonexistent/ccache",
    }
    return KojidOptions(server=server, **{**values, **changed})
