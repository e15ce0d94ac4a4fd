"""The mail about the end of a build: a pure text from what the hub knows of build and tasks (contract 4.2).

kojid's text, byte for byte: people sort and scan it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import koji

from koji_adjutant.tasks.mail import header_text

MESSAGE = """From: {from_addr}\r
Subject: {subject}\r
To: {to_addrs}\r
X-Koji-Tag: {dest_tag}\r
X-Koji-Package: {package}\r
X-Koji-Builder: {owner}\r
X-Koji-Status: {status}\r
X-Koji-Draft: {draft}\r
\r
Package: {nvr}\r
Tag: {dest_tag}\r
Status: {status}{cancel_info}\r
Built by: {owner}\r
ID: {build_id}\r
Started: {started}\r
Finished: {finished}\r
{changelog}\r
{failure}\r
{output}\r
Task Info: {weburl}/taskinfo?taskID={task_id}\r
Build Info: {weburl}/buildinfo?buildID={build_id}\r
"""


@dataclass(frozen=True)
class TaskFacts:
    """One task of the build."""

    info: Mapping[str, Any]
    """As `koji.taskLabel` wants it: id, method, arch, label, request, state."""
    host: str | None
    result: str
    """What it ended with, as text."""
    logs: tuple[tuple[str, str], ...] = ()
    """(name, volume), by volume."""
    rpms: tuple[str, ...] = ()
    srpms: tuple[str, ...] = ()
    misc: tuple[tuple[str, str], ...] = ()

    @property
    def state(self) -> str:
        return str(koji.TASK_STATES[self.info["state"]]).lower()


@dataclass(frozen=True)
class BuildFacts:
    """What the mail tells."""

    build: Mapping[str, Any]
    target: Mapping[str, Any] | None
    tasks: Sequence[TaskFacts]
    """The build's own task first, then its children, each before its own."""
    weburl: str
    topurl: str
    canceler: str | None = None
    changelog: str = ""


def build_message(facts: BuildFacts, *, from_addr: str, recipients: Sequence[str]) -> str:
    """Write the mail."""
    build = facts.build
    nvr = koji.buildLabel(build)
    dest_tag = facts.target["dest_tag_name"] if facts.target is not None else None
    status = str(koji.BUILD_STATES[build["state"]]).lower()
    owner = build["owner_name"]
    cancel_info = f"\r\nCanceled by: {facts.canceler}" if facts.canceler else ""
    changelog = facts.changelog.replace("\n", "\r\n")
    return MESSAGE.format(
        from_addr=header_text(from_addr),
        subject=header_text(f"Package: {nvr} Tag: {dest_tag} Status: {status} Built by: {owner}"),
        to_addrs=header_text(", ".join(recipients)),
        dest_tag=dest_tag,
        package=build["package_name"],
        owner=owner,
        status=status,
        draft=build.get("draft", False),
        nvr=nvr,
        cancel_info=cancel_info,
        build_id=build["id"],
        started=koji.formatTimeLong(build["creation_ts"]),
        finished=koji.formatTimeLong(build["completion_ts"]),
        changelog=f"Changelog:\r\n{changelog}" if changelog else "",
        failure=_failure(facts, nvr) or cancel_info,
        output=_output(facts),
        weburl=facts.weburl,
        task_id=build["task_id"],
    )


def _failure(facts: BuildFacts, nvr: str) -> str:
    if facts.build["state"] != koji.BUILD_STATES["FAILED"]:
        return ""
    hosts = [f"{task.host} ({task.info['arch']})" for task in facts.tasks if task.host and task.state == "failed"]
    result = facts.tasks[0].result if facts.tasks else "Unknown"
    return f"\r\n{nvr} ({facts.build['id']}) failed on {', '.join(hosts)}:\r\n  {result}"


def _output(facts: BuildFacts) -> str:
    srpms = sorted({srpm for task in facts.tasks for srpm in task.srpms})
    output = f"SRPMS:\r\n{''.join(f'  {srpm}' for srpm in srpms)}\r\n\r\n" if srpms else ""
    for state in ("failed", "canceled", "closed"):
        tasks = [task for task in facts.tasks if task.state == state]
        if tasks:
            head = f"{state.capitalize()} tasks:\r\n{'-' * len(state)}-------\r\n\r\n"
            output += head + "".join(_task(facts, task) for task in tasks) + "\r\n"
    return output


def _task(facts: BuildFacts, task: TaskFacts) -> str:
    # The build's directory for rpms, the task's own for the rest, also where the files have moved: as kojid has it.
    rpms = koji.PathInfo(topdir=facts.topurl).build(facts.build) + f"/{task.info['label'] or ''}"
    lines = [f"Task {task.info['id']}" + (f" on {task.host}" if task.host else "")]
    lines.append(f"Task Type: {koji.taskLabel(task.info)}")
    if task.logs:
        lines += ["logs:", *(_link(facts, task, *log) for log in task.logs)]
    if task.rpms:
        lines += ["rpms:", *(f" {rpms}/{name}" for name in task.rpms)]
    if task.misc:
        lines += ["misc:", *(_link(facts, task, *other) for other in task.misc)]
    return "\r\n".join([*lines, "", ""])


def _link(facts: BuildFacts, task: TaskFacts, name: str, volume: str) -> str:
    return f" {facts.weburl}/getfile?taskID={task.info['id']}&name={name}&volume={volume}"
