"""`tagNotification`: tell people by mail that a build was tagged, moved or untagged, or could not be (contract 4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import koji

from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.mail import header_text, send

MESSAGE = """From: {from_addr}\r
Subject: {nvr} {result} {operation} by {user_name}\r
To: {to_addrs}\r
X-Koji-Package: {pkg_name}\r
X-Koji-NVR: {nvr}\r
X-Koji-Draft: {draft}\r
X-Koji-User: {user_name}\r
X-Koji-Status: {status}\r
{tag_headers}\r
\r
Package: {pkg_name}\r
NVR: {nvr}\r
User: {user_name}\r
Status: {status}\r
{operation_details}\r
{nvr} {result} {operation} by {user_name}\r
{failure_info}\r
"""
"""kojid's: people sort their mail by it."""


@dataclass(frozen=True)
class Operation:
    """What was done, in the words of the mail."""

    action: str
    from_tag: str | None
    into_tag: str | None

    @property
    def phrase(self) -> str:
        places = (("from", self.from_tag), ("into", self.into_tag))
        return " ".join([self.action, *(f"{word} {tag}" for word, tag in places if tag is not None)])

    @property
    def details(self) -> str:
        places = (("From", self.from_tag), ("Into", self.into_tag))
        lines = [f"{word} Tag: {tag}\r\n" for word, tag in places if tag is not None]
        return f"Tag Operation: {self.action}\r\n{''.join(lines)}"

    @property
    def headers(self) -> str:
        return "\r\n".join(f"X-Koji-Tag: {tag}" for tag in (self.from_tag, self.into_tag) if tag is not None)


def operation(from_tag: str | None, into_tag: str | None) -> Operation:
    """Name what was done."""
    if from_tag is None:
        return Operation("tagged", None, into_tag)
    return Operation("untagged" if into_tag is None else "moved", from_tag, into_tag)


def tag_message(
    build: Mapping[str, Any],
    user: str,
    done: Operation,
    *,
    from_addr: str,
    recipients: Sequence[str],
    failure: str | None,
) -> str:
    """Write the mail; `failure` is None for what went well."""
    went_well = failure is None
    return MESSAGE.format(
        from_addr=header_text(from_addr),
        to_addrs=header_text(", ".join(recipients)),
        nvr=koji.buildLabel(build),
        pkg_name=build["package_name"],
        draft=build.get("draft", False),
        user_name=user,
        result="successfully" if went_well else "unsuccessfully",
        status="complete" if went_well else "failed",
        operation=done.phrase,
        operation_details=done.details,
        tag_headers=done.headers,
        failure_info="" if went_well else f"Operation failed with the error:\r\n    {failure}\r\n",
    )


class TagNotificationTask(ThreadedTask):
    """Handles `tagNotification`."""

    Methods = ["tagNotification"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 0.1  # noqa: N815 - koji's name

    def handler(
        self,
        recipients: Sequence[str],
        is_successful: bool,
        tag_info: int | str | None,
        from_info: int | str | None,
        build_info: int | str,
        user_info: int | str,
        ignore_success: bool | None = None,
        failure_msg: str = "",
    ) -> str | None:
        """Send the mail, if there is somebody to tell; kojid's parameters, order of hub calls and result."""
        if not recipients or (ignore_success and is_successful):
            self.context.log.info("notification.not_sent", recipients=len(recipients), successful=is_successful)
            return None
        build = self.session.getBuild(build_info)
        user = self.session.getUser(user_info)["name"]
        from_tag = self.session.getTag(from_info)["name"] if from_info else None
        into_tag = self.session.getTag(tag_info)["name"] if tag_info else None
        message = tag_message(
            build,
            user,
            operation(from_tag, into_tag),
            from_addr=self.options.from_addr,
            recipients=recipients,
            failure=None if is_successful else failure_msg,
        )
        # Sent twice if a daemon dies in between: no mail server can be asked whether it has a mail.
        self.once("mail", lambda: send(self.options, recipients, message))
        return f"sent notification of tag operation {self.id} to: {', '.join(recipients)}"
