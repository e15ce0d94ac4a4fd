"""reproduce.sh: the same root and the same commands with plain Podman, for a packager without a builder.

Every value is quoted: a tag's macro or environment value is text, never shell. The script takes the source package and a
directory, needs a Podman that may run as root or with subordinate ids, and loops over BuildRequires like the builder.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from koji_adjutant.buildroot import commands, dnf
from koji_adjutant.buildroot.buildrequires import MAX_ROUNDS
from koji_adjutant.buildroot.dnf import DnfLayout, PackageManager
from koji_adjutant.buildroot.environment_report import ImageUsed, without_password
from koji_adjutant.buildroot.per_task import BUILD_GID, BUILD_UID, RootFile, setup_script
from koji_adjutant.buildroot.settings import RootSettings

LOG_NAME = "reproduce.sh"


@dataclass(frozen=True)
class Recipe:
    """What a build was made of. `settings` name the hub's repository, not a proxy of the daemon."""

    task_id: int
    settings: RootSettings
    layout: DnfLayout
    manager: PackageManager
    tools: ImageUsed
    files: tuple[RootFile, ...]
    srpm_name: str
    spec: str
    """Path in the root, from `commands.spec_path`."""
    dynamic: bool
    hostname: str = "mock"
    memory_bytes: int | None = None


def reproduce_script(recipe: Recipe) -> str:
    """Return the script; it leaves the packages in DIRECTORY/root/builddir/build."""
    settings = _public(recipe.settings)
    filled = dnf.environment(settings, recipe.layout)
    parts = [
        _HEAD.format(task=recipe.task_id, tools=_text(recipe.tools.reference), digest=_text(recipe.tools.digest)),
        f"srpm_name={_text(recipe.srpm_name)}",
        f"spec={_text(recipe.spec)}",
        f"host={_text(recipe.hostname)}",
        f"dnf_env=({_words(_assignments(filled))})",
        f"build_env=({_words(_assignments(settings.env))})",
        f"personality=({_words([settings.personality] if settings.personality else [])})",
        f"limits=({_words(_limits(recipe))})",
        f"network={'private' if settings.network else 'none'}",
        _FUNCTIONS.format(uid=BUILD_UID, gid=BUILD_GID, root=recipe.layout.root, base=recipe.layout.base),
        _fill(recipe, settings),
        _build(recipe, settings),
    ]
    return "\n".join(parts) + "\n"


def _public(settings: RootSettings) -> RootSettings:
    urls = tuple(without_password(url) for url in settings.repo_urls)
    return replace(settings, repo_urls=urls, proxy=settings.proxy and without_password(settings.proxy))


def _fill(recipe: Recipe, settings: RootSettings) -> str:
    layout = recipe.layout
    lines = [
        "",
        "# The package manager's configuration, then the root.",
        f"in_tools mkdir -p {_words(layout.directories)}",
    ]
    for path, data in dnf.config_files(settings, layout).items():
        lines.append(f"{_decoded(data)} | in_tools sh -c 'cat > \"$1\"' sh {_text(path)}")
    fills = [
        *dnf.module_commands(settings, layout, recipe.manager),
        dnf.install_group(settings, layout, recipe.manager),
    ]
    lines += [f"install_in_root {_words(argv)}" for argv in fills]
    script = setup_script(recipe.files, busybox="")
    lines += ["", "# Users, work area, macros.", f"{_decoded(script)} | in_root_as 0:0 sh -s"]
    return "\n".join(lines)


def _build(recipe: Recipe, settings: RootSettings) -> str:
    builddep = dnf.builddep(settings, recipe.layout, recipe.manager, ())
    lines = [
        "",
        "# The build.",
        f'in_root_as 0:0 sh -c \'cat > "$1"\' sh {_text(commands.original(recipe.srpm_name))} < "$srpm"',
        f"build {_words(commands.install_srpm(recipe.srpm_name))}",
        f"builddep=({_words(builddep)})",
        f"static() {{ build {_words(commands.build_srpm(settings, recipe.spec))}; }}",
        "requires_of '.src.rpm' static",
    ]
    if recipe.dynamic:
        first = commands.generate_buildrequires(settings, recipe.spec, first=True)
        again = commands.generate_buildrequires(settings, recipe.spec, first=False)
        lines += [
            "prepared=",
            "dynamic() {",
            "    local status=0",
            f'    if [ -z "$prepared" ]; then build {_words(first)} || status=$?; else build {_words(again)} || status=$?; fi',
            "    prepared=1",
            "    [ $status = 0 ] || [ $status = 11 ]",
            "}",
            f"requires_of {_text(commands.BUILDREQS_SUFFIX)} dynamic",
        ]
    lines.append(f"build {_words(commands.build(settings, recipe.spec, dynamic=recipe.dynamic))}")
    lines.append('ls -l "$work/root"' + f"{commands.RPMS} " + '"$work/root"' + commands.SRPMS)
    return "\n".join(lines)


def _limits(recipe: Recipe) -> list[str]:
    return [] if recipe.memory_bytes is None else ["--memory", str(recipe.memory_bytes)]


def _assignments(env: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in sorted(env.items())]


def _words(words: Sequence[str]) -> str:
    return shlex.join(words)


def _text(text: str) -> str:
    return shlex.quote(text)


def _decoded(data: bytes) -> str:
    return f"printf %s {_text(base64.b64encode(data).decode())} | base64 -d"


_HEAD = """\
#!/bin/bash
# Builds the packages of Koji task {task} again, with plain Podman. Made by koji-adjutant.
#     reproduce.sh SRPM [DIRECTORY]       needs podman; TOOLS_IMAGE names another image with dnf and rpm
set -euo pipefail
[ $# -ge 1 ] || {{ echo "usage: $0 SRPM [DIRECTORY]" >&2; exit 2; }}
srpm=$(realpath -- "$1")
work=$(realpath -m -- "${{2:-reproduce-{task}}}")
tools=${{TOOLS_IMAGE:-{tools}}}
digest={digest}
mkdir -p "$work/root" "$work/state"
found=$(podman image inspect --format '{{{{.Digest}}}}' "$tools" 2>/dev/null || :)
[ "$found" = "$digest" ] || echo "note: the task had tools $digest, here they are ${{found:-not pulled yet}}" >&2"""

_FUNCTIONS = """\

in_tools() {{ # argv: the package manager's side, with a network
    podman run --rm -i --cap-add SYS_ADMIN --security-opt label=disable --security-opt apparmor=unconfined \\
        -v "$work/root:{root}" -v "$work/state:{base}" "$tools" "$@"
}}
install_in_root() {{ # argv
    in_tools sh -c 'mkdir -p "$0/proc" "$0/dev"; mount -t proc proc "$0/proc"; mount --bind /dev "$0/dev"; exec "$@"' \\
        {root} env -i "${{dnf_env[@]}}" "${{personality[@]}}" "$@"
}}
in_root_as() {{ # uid:gid argv
    podman run --rm -i --init --network "$network" --hostname "$host" --user "$1" --workdir / --security-opt label=disable \\
        "${{limits[@]}}" --tmpfs /tmp:mode=1777,exec --rootfs "$work/root" "${{@:2}}"
}}
build() {{ # argv: as the build user
    in_root_as {uid}:{gid} env -i "${{build_env[@]}}" "${{personality[@]}}" "$@"
}}
requires_of() {{ # suffix command: run the command and install what the package it writes requires, until nothing is missing
    local suffix=$1 round before found
    shift
    for round in $(seq MAX_ROUNDS); do
        "$@"
        found=$(find "$work/root/builddir/build/SRPMS" -name "*$suffix" -printf '%f\\n' | head -n 1)
        [ -n "$found" ] || return 0
        before=$(in_root_as 0:0 rpm -qa | sort)
        install_in_root "${{builddep[@]}}" "{root}/builddir/build/SRPMS/$found"
        [ "$suffix" = .src.rpm ] || rm -f "$work/root/builddir/build/SRPMS/$found"
        [ "$before" != "$(in_root_as 0:0 rpm -qa | sort)" ] || return 0
    done
}}""".replace("MAX_ROUNDS", str(MAX_ROUNDS))
