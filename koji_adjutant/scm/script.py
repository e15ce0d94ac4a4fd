"""One checkout as one shell script, for one durable step: its output is checkout.log as kojid's would be (pure).

Exit codes say what happened: 0, `TOO_LARGE`, `NO_PROGRAM`, or `FAILED` + the number of the command that failed.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.scm.bounded import TOO_LARGE, CheckoutLimits
from koji_adjutant.scm.commands import CheckoutPlan, Command

FAILED = 100
NO_PROGRAM = 98
BUSYBOX = f"{BIN_DIR}/busybox"

_FUNCTIONS = f"""
run() {{
    printf '$ %s\\n' "$1"
    shift
    "$@"
}}
# git reads a whole tree into memory before it writes the first file.
count() {{
    found=$(git ls-tree -r "$1" 2>/dev/null | {BUSYBOX} head -n $((files + 1)) | {BUSYBOX} wc -l)
    [ "$found" -le $files ] || exit {TOO_LARGE}
}}
"""


def checkout_script(
    plan: CheckoutPlan, *, scmdir: str, ssh: str, ssh_text: str, commit: str, limits: CheckoutLimits
) -> str:
    """Return the script; it writes `ssh_text` to the file `ssh` before, and git's HEAD to the file `commit` in the end."""
    program = plan.module.argv[0]
    lines = [
        _FUNCTIONS,
        f"files={limits.max_files}",
        f"{BUSYBOX} mkdir -p {scmdir} && cd {scmdir} || exit 1",
        f"printf %s {shlex.quote(ssh_text)} > {ssh} && {BUSYBOX} chmod 755 {ssh} || exit 1",
        f"command -v {program} > /dev/null || exit {NO_PROGRAM}",
    ]
    if "CVS_PASSFILE" in plan.env:
        # However it ends: a login may fail after it has written the password.
        removal = shlex.join([BUSYBOX, "rm", "-f", plan.env["CVS_PASSFILE"]])
        lines.append(f"trap {shlex.quote(removal)} EXIT")
    lines += _commands(plan, scmdir)
    if plan.clone:
        # By its own directory's name: a directory of the tree that looks like a repository is none.
        clone = shlex.quote(plan.clone)
        lines.append(f"git --git-dir={clone}/.git rev-parse HEAD > {commit} || exit 1")
    return "\n".join(lines) + "\n"


def failed_command(plan: CheckoutPlan, exit_code: int | None) -> Command | None:
    """Return the command that an exit code of the script names, None if it names none."""
    commands = plan.commands
    number = -1 if exit_code is None else exit_code - FAILED
    return commands[number] if 0 <= number < len(commands) else None


def _commands(plan: CheckoutPlan, scmdir: str) -> Iterator[str]:
    number = {command: position for position, command in enumerate(plan.commands)}
    for command in filter(None, (plan.login, plan.module)):
        yield f"{_run(command)} || exit {FAILED + number[command]}"
    if plan.recovery is not None:
        attempt = " && ".join(_run(command) for command in plan.update)
        yield f"cd {shlex.quote(plan.clone)} || exit 1"
        yield f"{{ {attempt}; }} || {{ {_run(plan.recovery)}; }} || exit {FAILED + number[plan.recovery]}"
        yield f"cd {scmdir}"
    for command in plan.common:
        yield f"{_run(command)} || exit {FAILED + number[command]}"
    if plan.common:
        yield f"cd {scmdir}"
        beside = shlex.quote(plan.beside)
        yield f"[ -e {beside}/common ] || {BUSYBOX} ln -s {shlex.quote(plan.common_link)} {beside}/common"


def _run(command: Command) -> str:
    words = shlex.join(command.argv)
    inside = f"cd {shlex.quote(command.inside)} && " if command.inside else ""
    counted = f"count {shlex.quote(command.counts)} && " if command.counts else ""
    shown = words if command.quiet else f"run {shlex.quote(command.shown)} {words}"
    return f"{{ {inside}{counted}{shown}; }}"
