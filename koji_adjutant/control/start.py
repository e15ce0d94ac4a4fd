"""Starts what the configuration asks for: the control socket of one daemon."""

from __future__ import annotations

import grp
from collections.abc import Callable

from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.control.commands import answering
from koji_adjutant.control.server import ControlServer
from koji_adjutant.control.services import Services
from koji_adjutant.errors import ConfigurationError
from koji_adjutant.manager.host_manager import HostManager
from koji_adjutant.manager.parts import Parts
from koji_adjutant.monitoring.view import DaemonView


def start_control(
    config: AdjutantConfig, look: Callable[[], DaemonView], manager: HostManager, parts: Parts
) -> ControlServer | None:
    """Serve the commands of the daemon that `look` looks at; None if the socket is turned off or cannot be had.

    Raises:
        ConfigurationError: `control.group` is no group of this machine.
    """
    path = config.control.path(config.state_dir)
    if path is None:
        return None
    services = Services(look, manager, parts)
    server = ControlServer(path, answering(services), gid=_gid(config.control.group))
    return server if server.start() else None


def _gid(group: str | None) -> int | None:
    if group is None:
        return None
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise ConfigurationError(
            f"control.group is {group!r}, which is no group of this machine",
            resolution="Make it (groupadd --system), or unset control.group.",
        ) from error
