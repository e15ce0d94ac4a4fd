"""Task methods of Koji that this builder knows and does not run: a hard refusal that says why (contract 4.4, 4.6, 4.7).

The hub keeps the reason with the task (`koji taskinfo`, scheduler refusals) and gives it to another host of its channel.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

NO_HANDLER = "no handler for method"
"""kojid's reason for a method it has never heard of."""

_ELSEWHERE = "keep a host with kojid in its channel; no setting turns it on here"
_FACTORY = "ImageFactory functions not available: they run virtual machines on the builder's host"
_PRIVILEGED = "it needs loop devices and mounts, which a task's container is not allowed"
_TURNED_OFF = f"{_PRIVILEGED}; privileged_images in adjutant.yaml is off"

_REASONS: Mapping[str, tuple[str, ...]] = {
    _FACTORY: ("image", "createImage", "indirectionimage"),
    f"Appliance functions not available: {_PRIVILEGED}": ("appliance", "createAppliance"),
    f"LiveCD functions not available: {_PRIVILEGED}": ("livecd", "createLiveCD"),
    "driver update disks are made by kojid's plugin dud, in a root on the host": ("dudBuild", "createDudIso"),
}

REFUSED: Mapping[str, str] = {
    method: f"{reason}; {_ELSEWHERE}" for reason, methods in _REASONS.items() for method in methods
}
"""Method -> reason."""
TURNED_OFF: Mapping[str, str] = {
    "livemedia": f"Live Media functions not available: {_TURNED_OFF}",
    "createLiveMedia": f"Live Media functions not available: {_TURNED_OFF}",
    "kiwiBuild": f"kiwi functions not available: {_TURNED_OFF}",
    "createKiwiImage": f"kiwi functions not available: {_TURNED_OFF}",
}
"""The same of methods that a setting turns on."""


def refusal_reason(method: str) -> str:
    """Return why a method without a handler is refused."""
    return REFUSED.get(method) or TURNED_OFF.get(method, NO_HANDLER)
