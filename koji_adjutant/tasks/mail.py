"""One mail handed over to the site's mail server, as kojid does: plain SMTP, a login if kojid.conf has one."""

from __future__ import annotations

import smtplib
from collections.abc import Sequence
from typing import Protocol

import koji
import structlog

from koji_adjutant.errors import MailError

log = structlog.get_logger(__name__)

TIMEOUT = 60.0
"""Seconds for each answer of the server. kojid has no limit, and a server that says nothing holds its task for ever."""


class MailOptions(Protocol):
    """The options of kojid.conf about mail, under kojid's names."""

    @property
    def smtphost(self) -> str: ...
    @property
    def smtp_user(self) -> str | None: ...
    @property
    def smtp_pass(self) -> str | None: ...
    @property
    def from_addr(self) -> str: ...


def send(options: MailOptions, recipients: Sequence[str], message: str) -> None:
    """Send `message`, headers and text with CRLF ends of lines, to everybody of `recipients`.

    A recipient that the server refuses is logged; if it refuses all, that is an error.

    Raises:
        MailError: the server could not be reached, or does not take the mail.
    """
    data = koji.fixEncoding(message).encode("utf-8", "replace")
    try:
        with smtplib.SMTP(options.smtphost, timeout=TIMEOUT) as server:
            if options.smtp_user is not None and options.smtp_pass is not None:
                server.login(options.smtp_user, options.smtp_pass)
            refused = server.sendmail(options.from_addr, list(recipients), data)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise MailError(
            f"mail server {options.smtphost} did not take a mail to {', '.join(recipients)}",
            details=f"{type(error).__name__}: {error}",
            resolution="Check smtphost, smtp_user and smtp_pass in kojid.conf, and that this host may send mail there.",
        ) from error
    for recipient, answer in refused.items():
        log.warning("mail.recipient_refused", recipient=recipient, answer=str(answer))
    log.info("mail.sent", server=options.smtphost, recipients=len(recipients) - len(refused))


def header_text(value: object) -> str:
    """Return a value for a header: one line, whatever it holds."""
    return " ".join(str(value).split())
