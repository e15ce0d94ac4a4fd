"""mock_config.log: the mock configuration kojid would have written, for people who rebuild a root by hand (contract 8.1.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import koji

from koji_adjutant.buildroot.arches import target_arch
from koji_adjutant.tasks.buildroot_record import RepoTag

_FROM_OPTIONS = (
    "mockdir",
    "topdir",
    "topurl",
    "topurls",
    "packager",
    "vendor",
    "distribution",
    "mockhost",
    "yum_proxy",
    "rpmbuild_timeout",
)


def mock_config(
    name: str, buildroot_id: int, repo: RepoTag, arch: str, options: Any, *, group: str = "build", network: bool = False
) -> str:
    """Return the text, by koji's own generator from the same values as kojid's."""
    extra: Mapping[str, Any] = repo.config.get("extra") or {}
    opts: dict[str, Any] = {key: getattr(options, key) for key in _FROM_OPTIONS}
    opts.update(
        repoid=repo.repo_id,
        tag_name=repo.tag_name,
        buildroot_id=buildroot_id,
        use_host_resolv=network,
        install_group=group,
        maven_opts=None,
        maven_envs=None,
        bind_opts=None,
        target_arch=target_arch(arch),
        tag_macros={"%" + key[10:]: str(extra[key]) for key in extra if key.startswith("rpm.macro.")},
        tag_envvars={key[8:]: str(extra[key]) for key in extra if key.startswith("rpm.env.")},
    )
    if network:
        opts["rpmbuild_networking"] = True
    if extra.get("mock.forcearch"):
        opts["forcearch"] = target_arch(arch)
    for key, name_there in (
        ("mock.package_manager", "package_manager"),
        ("mock.yum.module_hotfixes", "module_hotfixes"),
        ("mock.yum.best", "yum_best"),
        ("mock.module_setup_commands", "module_setup_commands"),
        ("mock.releasever", "releasever"),
        ("mock.use_bootstrap", "use_bootstrap"),
    ):
        if key in extra:
            opts[name_there] = extra[key]
    opts["bootstrap_image"] = options.mock_bootstrap_image and extra.get("mock.bootstrap_image")
    text: str = koji.genMockConfig(name, koji.canonArch(arch), managed=True, **opts)
    return text
