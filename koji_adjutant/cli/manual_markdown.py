"""docs/commands.md, written from the manuals. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from koji_adjutant.cli.manual_text import Argument, Manual, Part

HEAD = """\
# Commands

Made from the parsers by `make man`, like the manual pages; do not edit. `koji-adjutant COMMAND --help` says the same.

## The daemon's control socket

`status`, `tasks`, `log`, `shell`, `drain`, `resume`, `sweep` and `image` ask the running daemon, through a Unix
socket: `control.sock` in `state_dir`, or `control.socket` of `adjutant.yaml`. It is there as soon as the daemon has
logged in, in a thread of its own; whatever happens to it, builds go on.

Who asks is the kernel's word (SO_PEERCRED). Root and the daemon's user may do everything. With `control.group` its
members may ask for status, tasks, logs and the list of images, from a directory that they can reach, such as

    control:
      socket: /run/koji-adjutant/control.sock
      group: koji-operators

`RuntimeDirectory=koji-adjutant` in a drop-in of the unit makes that directory, `RuntimeDirectoryPreserve=yes` keeps it
over restarts.

`--json` is for programs: new keys may be added, none is renamed. `log --json` prints one object a line.

**drain** stands in a file of `state_dir` and outlives the daemon; `status` and the log (`host.readiness_changed`) show
it, and the hub hears that the host is not ready. Running tasks go on and end as ever. A parent that waits for children
ends only when other hosts run them, or after `resume`. `drain` differs from `stop: drain`, which is about what SIGTERM
does.

**log** reads what the builder itself holds: it does not need the hub, and is ahead of it by an upload. With `-f` it
survives a restart of the daemon and a log that begins anew. To a terminal everything but printable text is made
visible (`^[`), since a build can write anything into its log; into a pipe or a file every byte goes as it is.

**shell** becomes `podman exec` in the task's container, so it needs the rights to use Podman's socket. What runs
there is the build's, and a terminal obeys it: treat its output as hostile. What you change in the root is in the
build.

**sweep --dry-run** says for each container, task directory and buildroot why it would go. A sweep while the hub is
away fails and removes nothing.

**image prepare** has the images of a tag's newest repo made in the background, as the first build of that repo would,
so that this one starts from them too.

Completion: `koji-adjutant completion bash`, `zsh` or `fish`; needs shtab, as `pip install shtab` of the environment gives it.
Packages install what `make man` writes to `build/man` and `build/completion`.
"""


def document(manuals: Sequence[Manual]) -> str:
    """Return the whole document."""
    return "\n".join([HEAD, *("\n".join(_command(manual)) + "\n" for manual in manuals)]).rstrip("\n") + "\n"


def _command(manual: Manual) -> Iterator[str]:
    yield f"## {manual.name}"
    yield ""
    yield f"{manual.summary[0].upper()}{manual.summary[1:]}."
    yield ""
    yield from (f"    {synopsis}" for synopsis in manual.synopses())
    for part in manual.described:
        yield from _part(part)
    yield from ("", "Examples:", "")
    yield from (f"    {line}" for line in manual.examples)
    yield from ("", f"Exit codes: {'; '.join(f'{code} {text}' for code, text in manual.exits.items())}.")


def _part(part: Part) -> Iterator[str]:
    if part.action:
        yield from ("", f"**{part.action}**: {part.text}")
    shown = [argument for argument in (*part.positionals, *part.options) if "--help" not in argument.options]
    if shown:
        yield from ("", "| argument | meaning |", "| --- | --- |")
        yield from (f"| {_names(argument)} | {argument.text.replace('|', chr(92) + '|')} |" for argument in shown)


def _names(argument: Argument) -> str:
    if not argument.options:
        return f"`{argument.synopsis}`"
    value = f" {argument.value}" if argument.value else ""
    return ", ".join(f"`{option}{value}`".replace("|", r"\|") for option in argument.options)
