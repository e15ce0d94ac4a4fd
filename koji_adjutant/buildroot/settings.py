"""What the tag says about a buildroot, turned into one frozen value (contract 4.0.2).

Everything that kojid writes into a mock configuration, and what mock adds by itself, is decided here; the modules beside
this one only render it (`dnf`, `macros`, `commands`). Pure: same tag, same options, same settings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from koji_adjutant.buildroot.arches import canonical_arch, personality, target_arch
from koji_adjutant.buildroot.faults import RootFault

HOME = "/builddir"
TOPDIR = f"{HOME}/build"

ENVIRONMENT: Mapping[str, str] = {
    "TERM": "vt100",
    "SHELL": "/bin/bash",
    "HOME": HOME,
    "HOSTNAME": "mock",
    "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    "PROMPT_COMMAND": r'printf "\033]0;<mock-chroot>\007"',
    "PS1": r"<mock-chroot> \s-\v\$ ",
    "LANG": "C.UTF-8",
}
"""mock's default environment (contract 10); a tag's `rpm.env.*` comes on top."""

_MEANINGLESS = {
    "mock.new_chroot": "there is one way to isolate a build here: a container",
    "mock.bootstrap_image_ready": "the tools image must hold its package manager",
    "mock.plugin_conf.sign_enable": "packages are not signed on the builder",
    "mock.plugin_conf.sign_opts.cmd": "packages are not signed on the builder",
    "mock.plugin_conf.sign_opts.opts": "packages are not signed on the builder",
}
_KNOWN = frozenset(
    {
        "mock.package_manager",
        "mock.forcearch",
        "mock.releasever",
        "mock.module_setup_commands",
        "mock.use_bootstrap",
        "mock.bootstrap_image",
        "mock.yum.best",
        "mock.yum.module_hotfixes",
    }
)


class RootOptions(Protocol):
    """The options of kojid.conf that shape a root, under kojid's names."""

    @property
    def packager(self) -> str: ...
    @property
    def vendor(self) -> str: ...
    @property
    def distribution(self) -> str: ...
    @property
    def mockhost(self) -> str: ...
    @property
    def yum_proxy(self) -> str | None: ...
    @property
    def rpmbuild_timeout(self) -> int: ...


@dataclass(frozen=True)
class RootSettings:
    """How one root is filled and used."""

    tag_name: str
    tag_id: int
    arch: str
    """The task's arch, literally."""
    br_arch: str
    """Canonical: names the repository and the buildroot at the hub."""
    target_arch: str
    """Of the root: what its package manager and its macros are told."""
    repo_urls: tuple[str, ...]
    install_group: str
    network: bool
    """Whether `task` gets a network, resolv.conf and the host's /etc/hosts (kojid's setup_dns)."""
    macros: Mapping[str, str] = field(default_factory=dict)
    """Names with their `%`, as they stand in the build user's macro file."""
    env: Mapping[str, str] = field(default_factory=dict)
    """The whole environment of every command in the root."""
    package_manager: str = "dnf"
    releasever: str | None = None
    forcearch: str | None = None
    personality: str | None = None
    module_setup_commands: tuple[tuple[str, ...], ...] = ()
    """Arguments after `dnf`, each: `("module", "enable", "mod:stream")`."""
    best: bool = False
    module_hotfixes: bool = False
    proxy: str | None = None
    use_bootstrap: bool | None = None
    """What the tag says about mock's bootstrap; None: nothing. True: tools come from the tag's own repo."""
    bootstrap_image: str | None = None
    rpmbuild_timeout: float = 86400.0
    rpmbuild_target: str | None = None
    """`--target` of rpmbuild, where it is not the root's own arch: `noarch` for a noarch task (contract 4.0.3)."""
    ignored: tuple[tuple[str, str], ...] = ()
    """Settings of the tag without a meaning here: (name, reason). Logged once each by the caller."""

    def with_cpu_limit(self, cpus: float | None) -> RootSettings:
        """Tell rpmbuild of a CPU limit, which it cannot see: `%_smp_ncpus_max` and RPM_BUILD_NCPUS; the tag wins."""
        if cpus is None:
            return self
        count = str(max(1, math.ceil(cpus)))
        return replace(
            self,
            macros={"%_smp_ncpus_max": count, **self.macros},
            env={**self.env, "RPM_BUILD_NCPUS": self.env.get("RPM_BUILD_NCPUS", count)},
        )


def root_settings(
    tag_config: Mapping[str, Any],
    options: RootOptions,
    *,
    arch: str,
    repo_urls: Sequence[str],
    install_group: str = "build",
    network: bool = False,
    build_host: str | None = None,
    bootstrap_image_allowed: bool = False,
) -> RootSettings:
    """Read `getBuildConfig`'s answer and kojid.conf as kojid and mock would.

    `build_host` becomes `%_buildhost`: without it the container's name would end up in BUILDHOST.
    `bootstrap_image_allowed` is kojid.conf's `mock_bootstrap_image`.

    Raises:
        RootFault: "Tag is not configured properly for mock's sign plugin'".
    """
    extra: Mapping[str, Any] = tag_config.get("extra") or {}
    _check_sign_plugin(extra)
    target = target_arch(arch)
    forcearch = target if extra.get("mock.forcearch") else None
    image = extra.get("mock.bootstrap_image")
    releasever = extra.get("mock.releasever")
    return RootSettings(
        tag_name=tag_config["name"],
        tag_id=tag_config["id"],
        arch=arch,
        br_arch=canonical_arch(arch),
        target_arch=target,
        repo_urls=tuple(repo_urls),
        install_group=install_group,
        network=network,
        macros=_macros(extra, options, target, build_host, forced=forcearch is not None),
        env=_environment(extra),
        package_manager=str(extra.get("mock.package_manager") or "dnf"),
        releasever=None if releasever in (None, "") else str(releasever),
        forcearch=forcearch,
        # Under emulation uname already answers for the target.
        personality=None if forcearch else personality(target),
        module_setup_commands=_module_commands(extra.get("mock.module_setup_commands")),
        best=_best(tag_config["name"], extra),
        module_hotfixes=bool(extra.get("mock.yum.module_hotfixes")),
        proxy=options.yum_proxy or None,
        use_bootstrap=bool(extra["mock.use_bootstrap"]) if "mock.use_bootstrap" in extra else None,
        bootstrap_image=str(image) if image and bootstrap_image_allowed else None,
        rpmbuild_timeout=float(options.rpmbuild_timeout),
        ignored=_ignored(extra, bootstrap_image_allowed=bootstrap_image_allowed),
    )


def _macros(
    extra: Mapping[str, Any], options: RootOptions, target: str, build_host: str | None, *, forced: bool
) -> dict[str, str]:
    # The order is the precedence of contract 4.0.2: defaults, then the tag, then what a tag cannot change.
    macros = {
        "%_rpmfilename": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
        "%vendor": options.vendor,
        "%packager": options.packager,
        "%distribution": options.distribution,
        "%_platform_multiplier": "10" if forced else "1",
    }
    if build_host:
        macros["%_buildhost"] = build_host
    macros.update({"%" + name: value for name, value in _prefixed(extra, "rpm.macro.")})
    macros["%_topdir"] = TOPDIR
    macros["%_host_cpu"] = target
    macros["%_host"] = f"{target}-{options.mockhost}"
    return macros


def _environment(extra: Mapping[str, Any]) -> dict[str, str]:
    usable = {name: value for name, value in _prefixed(extra, "rpm.env.") if _env_problem(name, value) is None}
    return {**ENVIRONMENT, **usable}


def _env_problem(name: str, value: str) -> str | None:
    if not name or "=" in name or "\0" in name + value:
        return "not a name and value that an environment can hold"
    return None


def _prefixed(extra: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    return [(key[len(prefix) :], str(value)) for key, value in extra.items() if key.startswith(prefix)]


def _module_commands(commands: Any) -> tuple[tuple[str, ...], ...]:
    """Mock's form: pairs of an action and one comma-separated string of modules (or nothing)."""
    result = []
    for action, *raw in commands or []:
        modules = ",".join(str(part) for part in raw if part)
        result.append(("module", str(action), *(name.strip() for name in modules.split(",") if name.strip())))
    return tuple(result)


def _best(tag_name: str, extra: Mapping[str, Any]) -> bool:
    value = extra.get("mock.yum.best", 0)
    try:
        return bool(int(value))
    except (TypeError, ValueError) as error:
        raise RootFault(f"mock.yum.best of tag {tag_name} must be a number, not {value!r}") from error


def _check_sign_plugin(extra: Mapping[str, Any]) -> None:
    wanted = ("mock.plugin_conf.sign_opts.cmd", "mock.plugin_conf.sign_opts.opts")
    if "mock.plugin_conf.sign_enable" in extra and not all(key in extra for key in wanted):
        raise RootFault("Tag is not configured properly for mock's sign plugin'")


def _ignored(extra: Mapping[str, Any], *, bootstrap_image_allowed: bool) -> tuple[tuple[str, str], ...]:
    found = []
    for key in sorted(extra):
        if key in _MEANINGLESS:
            found.append((key, _MEANINGLESS[key]))
        elif key == "mock.bootstrap_image" and extra[key] and not bootstrap_image_allowed:
            found.append((key, "kojid.conf does not allow it (mock_bootstrap_image)"))
        elif key.startswith("mock.") and key not in _KNOWN:
            found.append((key, "unknown here, as it is to kojid"))
        elif key.startswith("rpm.env.") and (problem := _env_problem(key[len("rpm.env.") :], str(extra[key]))):
            found.append((key, problem))
    return tuple(found)
