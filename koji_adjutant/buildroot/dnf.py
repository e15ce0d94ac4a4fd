"""The package manager that fills a root from outside: its configuration, its environment and its command lines.

It runs in `tools` with `--installroot`. Everything it reads (configuration, variables, plugin settings, rpm macros) and
everything it keeps (cache, history, logs) stands in one directory of `tools`, so that nothing is inherited from the
image and nothing but packages reaches the root (design section 6.1). Facts: contract 4.0.2; flags as mock gives them.
Tried with dnf 4.14; the command lines of dnf5 follow its documentation and mock's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from koji_adjutant.buildroot.macros import MOUNTS_OF_A_ROOT, outside_macro_file
from koji_adjutant.buildroot.settings import RootSettings
from koji_adjutant.errors import ConfigurationError

_PARALLEL_DOWNLOADS = 10
"""A base install fetches some two hundred small files: with dnf's own 3 the way of each takes longer than its bytes."""
_PROGRAM = re.compile(r"(/usr)?/s?bin/(dnf-3|dnf5|dnf|yum)")
"""What counts as a package manager. Where sbin is a link to bin, `command -v` names sbin."""
_DISABLED_PLUGINS = ("local", "spacewalk", "versionlock")


class Flavour(StrEnum):
    """Whose command line it is."""

    DNF4 = "dnf4"
    DNF5 = "dnf5"


@dataclass(frozen=True)
class PackageManager:
    """A package manager found in `tools`."""

    flavour: Flavour
    program: str


@dataclass(frozen=True)
class DnfLayout:
    """Where things are, as seen in `tools`."""

    root: str = "/buildroot"
    base: str = "/var/lib/adjutant"
    dbpath: str = "/var/lib/rpm"
    mounts: tuple[str, ...] = MOUNTS_OF_A_ROOT

    @property
    def config(self) -> str:
        return f"{self.base}/dnf.conf"

    @property
    def cache(self) -> str:
        return f"{self.base}/cache"

    @property
    def logs(self) -> str:
        """`dnf.log`, `dnf.rpm.log`, `dnf.librepo.log`: kojid uploads them."""
        return f"{self.base}/log"

    @property
    def home(self) -> str:
        """Holds `.rpmmacros`, the last macro file that rpm reads."""
        return f"{self.base}/home"

    @property
    def directories(self) -> tuple[str, ...]:
        """To be made before the first run."""
        return (self.home, self.cache, self.logs, f"{self.base}/vars", f"{self.base}/plugins", f"{self.base}/persist")

    @property
    def leftovers(self) -> tuple[str, ...]:
        """What a package manager may leave in the root although told otherwise; to be removed before a commit."""
        return (f"{self.root}{self.base}",)


def detect_command() -> list[str]:
    """Return argv whose output `choose_package_manager` reads: one line `program real-path` for each that is there."""
    return [
        "sh",
        "-c",
        'for p in dnf-3 dnf5 dnf yum; do f=$(command -v $p) && echo "$f $(readlink -f "$f")"; done; :',
    ]


def choose_package_manager(wanted: str, listing: str) -> PackageManager:
    """Pick from `detect_command`'s output what the tag asks for, or what mock would fall back to.

    Raises:
        ConfigurationError: the tools image has none.
    """
    found: dict[Flavour, str] = {}
    for line in listing.splitlines():
        program, _, real = line.partition(" ")
        if not _PROGRAM.fullmatch(program):
            continue
        flavour = Flavour.DNF5 if real.endswith("dnf5") else Flavour.DNF4
        found.setdefault(flavour, program)
    order = [Flavour.DNF5, Flavour.DNF4] if wanted == "dnf5" else [Flavour.DNF4, Flavour.DNF5]
    for flavour in order:
        if flavour in found:
            return PackageManager(flavour, found[flavour])
    raise ConfigurationError(
        f"no package manager in the tools image: wanted {wanted}, found neither dnf-3, dnf, yum nor dnf5",
        resolution="Name a tools image that holds dnf with its builddep plugin (adjutant.image of the tag, or adjutant.yaml).",
    )


def config_text(settings: RootSettings) -> str:
    """Return dnf.conf: kojid's [main] and the one repository `build` with all base URLs."""
    lines = ["[main]"]
    if settings.proxy:
        lines.append(f"proxy={settings.proxy}")
    lines += [
        "debuglevel=1",
        "reposdir=/dev/null",
        "retries=20",
        "obsoletes=1",
        "gpgcheck=0",
        "assumeyes=1",
        "keepcache=1",
        "install_weak_deps=0",
        "strict=1",
        f"max_parallel_downloads={_PARALLEL_DOWNLOADS}",
        "",
        "[build]",
        "name=build",
        "baseurl=" + "\n        ".join(settings.repo_urls),
    ]
    if settings.module_hotfixes:
        lines.append("module_hotfixes=1")
    if settings.best:
        # In the repository's section, where kojid puts it: what dnf makes of it there is what a root under kojid has.
        lines.append("best=1")
    return "\n".join(lines) + "\n"


def config_files(settings: RootSettings, layout: DnfLayout) -> Mapping[str, bytes]:
    """Return the files that stand in `tools` before the first run, by absolute path."""
    return {
        layout.config: config_text(settings).encode(),
        f"{layout.home}/.rpmmacros": outside_macro_file(layout.dbpath, layout.mounts),
    }


def environment(settings: RootSettings, layout: DnfLayout) -> dict[str, str]:
    """Return the whole environment of a package manager run, as mock gives it."""
    return {**settings.env, "HOME": layout.home, "LC_MESSAGES": "C.UTF-8"}


def install_group(settings: RootSettings, layout: DnfLayout, manager: PackageManager) -> list[str]:
    """Return argv of the base install."""
    return command(settings, layout, manager, "install", f"@{settings.install_group}")


def module_commands(settings: RootSettings, layout: DnfLayout, manager: PackageManager) -> list[list[str]]:
    """Return argvs of the tag's module commands, to run in order before the base install."""
    return [command(settings, layout, manager, *arguments) for arguments in settings.module_setup_commands]


def builddep(settings: RootSettings, layout: DnfLayout, manager: PackageManager, packages: Sequence[str]) -> list[str]:
    """Return argv that installs the BuildRequires of source packages (`.src.rpm` or `.buildreqs.nosrc.rpm`)."""
    return command(settings, layout, manager, "builddep", *packages)


def install(settings: RootSettings, layout: DnfLayout, manager: PackageManager, packages: Sequence[str]) -> list[str]:
    """Return argv that installs packages by name (srpm_preprocess, runroot)."""
    return command(settings, layout, manager, "install", *packages)


def command(settings: RootSettings, layout: DnfLayout, manager: PackageManager, *arguments: str) -> list[str]:
    """Return argv for any subcommand with its arguments."""
    flags = ["--setopt=deltarpm=False", "--setopt=allow_vendor_change=yes"]
    erasing = ["--allowerasing"] if arguments[0] in {"install", "builddep"} else []
    forced = ["--forcearch", settings.forcearch] if settings.forcearch else []
    start = [manager.program, "--config", layout.config, "--installroot", layout.root]
    if settings.releasever:
        start += ["--releasever", settings.releasever]
    start += _directories(layout, manager.flavour) + forced
    if manager.flavour is Flavour.DNF5:
        # Its --allowerasing belongs to the subcommand.
        return [*start, *flags, arguments[0], *erasing, *arguments[1:]]
    plugins = [f"--disableplugin={name}" for name in _DISABLED_PLUGINS]
    return [*start, *flags, *erasing, *plugins, *arguments]


def _directories(layout: DnfLayout, flavour: Flavour) -> list[str]:
    # dnf puts cachedir and logdir below the installroot, joining the paths as text, before it looks at --setopt a second
    # time: by way of "/.." the directory is the same with and without that. SQLite takes no such path (persistdir).
    outside = {
        "cachedir": f"/..{layout.cache}",
        "logdir": f"/..{layout.logs}",
        "persistdir": f"{layout.base}/persist",
        "varsdir": f"{layout.base}/vars",
        "pluginconfpath": f"{layout.base}/plugins",
    }
    if flavour is Flavour.DNF5:
        outside["system_cachedir"] = outside["cachedir"]
        outside["plugins"] = "0"
        # Its state belongs to the root, where the root's own dnf5 looks for it.
        del outside["persistdir"]
    return [f"--setopt={name}={path}" for name, path in outside.items()]
