"""The way in: a host name, claimed where replicas share some, and the hub's exclusive session for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.errors import AdjutantError
from koji_adjutant.hub.identity import HostIdentity
from koji_adjutant.hub.login import check_echo, connect, take_exclusive
from koji_adjutant.hub.session import AdjutantSession, OnCall
from koji_adjutant.manager.host_pool import Membership, join_configured
from koji_adjutant.manager.lease_claim import OnLost


@dataclass(frozen=True)
class Login:
    """A session that holds the exclusive lock of this host's name, and the claim to the name if it is one of a pool."""

    session: AdjutantSession
    interrupt: threading.Event
    options: KojidOptions
    """Those of kojid.conf, or with the credentials of the claimed name."""
    member: Membership | None = None

    @property
    def epoch(self) -> int:
        """Of the claim; 0 without one."""
        return 0 if self.member is None else self.member.claim.epoch

    def check(self, identity: HostIdentity) -> None:
        """See `Membership.check`."""
        if self.member is not None:
            self.member.check(identity)

    def tell(self, on_lost: OnLost) -> None:
        """Have `on_lost` called when the name is lost."""
        if self.member is not None:
            self.member.claim.tell(on_lost)

    def leave(self, *, logged_out: bool) -> None:
        """See `Membership.leave`."""
        if self.member is not None:
            self.member.leave(logged_out=logged_out)


def sign_in(options: KojidOptions, config: AdjutantConfig, on_call: OnCall) -> Login:
    """Claim a name if there is one to claim, log in, take the exclusive session. Raises as these do."""
    member = join_configured(options, config)
    chosen = options if member is None else member.options
    try:
        return _log_in(chosen, member, on_call)
    except AdjutantError:
        if member is not None:
            member.leave(logged_out=True)
        raise


def _log_in(options: KojidOptions, member: Membership | None, on_call: OnCall) -> Login:
    interrupt = threading.Event()
    session = connect(options, interrupt=interrupt, on_call=on_call)
    try:
        take_exclusive(session, options.force_lock)
        check_echo(session)
    except AdjutantError:
        session.close()
        raise
    return Login(session, interrupt, options, member)
