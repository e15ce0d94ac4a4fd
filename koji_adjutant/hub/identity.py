"""Who this daemon is at the hub: the host row that belongs to the user it logged in as."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import urlsplit

import koji
import structlog

from koji_adjutant.config.secrets import mask_text
from koji_adjutant.errors import HubError
from koji_adjutant.hub.login import LoginOptions
from koji_adjutant.hub.session import AdjutantSession

log = structlog.get_logger(__name__)

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class HostIdentity:
    """A Koji host at one hub, as this login has it."""

    host_id: int
    host_name: str
    hub_url: str
    session_start_ts: float
    """When the hub says that this login began; restartVerify compares it (contract 0, step 3)."""

    @property
    def hub_hash(self) -> str:
        """Eight hex digits that tell hubs apart in labels."""
        return hashlib.sha256(normalised(self.hub_url).encode()).hexdigest()[:8]

    @property
    def worker_label(self) -> str:
        """Label value of this host's containers: two hubs may both know a host of this name."""
        return f"{self.host_name}.{self.hub_hash}"


def normalised(url: str) -> str:
    """Return one spelling for URLs that lead to the same hub. Pure.

    Scheme, default ports, user, case of the host name and trailing slashes do not count: a certificate login of koji turns
    http into https, and the labels of containers must outlive a change of the way to log in.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower().rstrip(".")
    port = parts.port if parts.port and parts.port != PORTS.get(parts.scheme) else None
    return f"{host}{f':{port}' if port else ''}/{parts.path.strip('/')}"


def identify(session: AdjutantSession, options: LoginOptions) -> HostIdentity:
    """Ask the hub who we are; needs the exclusive lock.

    Raises:
        HubError: the user of this login is no host ("User N is not a host", contract 1.2 #9).
    """
    try:
        host = session.host.getHost()
    except koji.AuthError as error:
        raise HubError(
            f"the user this daemon logged in as is not a host: {error}",
            details=f"hub {mask_text(options.server)}",
            resolution="Register it once with: koji add-host NAME ARCH... (the user is made with the host).",
        ) from error
    info = session.getSessionInfo()
    identity = HostIdentity(
        host_id=int(host["id"]),
        host_name=str(host["name"]),
        hub_url=options.server,
        session_start_ts=float(info["start_ts"]),
    )
    log.info("hub.identified", host=identity.host_name, host_id=identity.host_id, worker=identity.worker_label)
    return identity
