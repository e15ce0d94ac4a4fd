"""What each option of a site's mock configuration becomes here."""

from __future__ import annotations

from collections.abc import Mapping

PER_TASK = frozenset(
    {
        "root", "target_arch", "legal_host_arches", "chroot_setup_cmd", "chroothome", "dist", "releasever", "description",
        "basedir", "cache_topdir", "resultdir", "rootdir", "package_manager", "dnf.conf", "yum.conf", "dnf5.conf",
        "extra_chroot_dirs", "rpmbuild_networking", "use_host_resolv", "cleanup_on_success", "cleanup_on_failure",
        "print_main_output", "build_log_fmt_name", "root_log_fmt_name", "state_log_fmt_name", "internal_dev_setup",
        "chrootuid", "chrootgid", "chrootuser", "chrootgroup", "useradd", "isolation", "use_nspawn", "nspawn_args",
        "online", "rpmbuild_arch", "bootstrap_chroot_additional_packages", "module_enable", "module_setup_commands",
        "dynamic_buildrequires", "dynamic_buildrequires_max_loops", "static_buildrequires_max_loops", "no_root_shells",
        "plugin_dir", "config_path", "mirrored", "chroot_additional_packages", "use_container_host_hostname",
        "bootstrap_image_fallback", "bootstrap_image_keep_getting", "bootstrap_image_ready", "exclude_from_homedir_cleanup",
    }
)  # fmt: skip
"""Koji or this builder sets these for each task, or they steer mock's own workings: a site's value has no effect to lose."""

EQUIVALENTS: Mapping[str, str] = {
    "rpmbuild_timeout": "rpmbuild_timeout in kojid.conf",
    "macros": "the tag's extra settings rpm.macro.NAME",
    "environment": "the tag's extra settings rpm.env.NAME",
    "http_proxy": "yum_proxy in kojid.conf",
    "https_proxy": "yum_proxy in kojid.conf",
    "use_bootstrap": "images.bootstrap in adjutant.yaml, or the tag's mock.use_bootstrap",
    "use_bootstrap_container": "images.bootstrap in adjutant.yaml, or the tag's mock.use_bootstrap",
    "use_bootstrap_image": "mock_bootstrap_image in kojid.conf and the tag's mock.bootstrap_image",
    "bootstrap_image": "the tag's mock.bootstrap_image, or images.tools in adjutant.yaml",
    "forcearch": "the tag's mock.forcearch",
    "plugin_conf.root_cache_enable": "images.prepared in adjutant.yaml",
    "plugin_conf.root_cache_opts": "images.prepared in adjutant.yaml",
    "plugin_conf.yum_cache_enable": "images.prepared in adjutant.yaml",
    "plugin_conf.yum_cache_opts": "images.prepared in adjutant.yaml",
    "plugin_conf.package_state_enable": "adjutant-env.json of each task",
    "plugin_conf.package_state_opts": "adjutant-env.json of each task",
    "plugin_conf.hw_info_enable": "hw_info.log of each task",
    "plugin_conf.hw_info_opts": "hw_info.log of each task",
    "plugin_conf.process_limits_enable": "build.pids and build.nofile in adjutant.yaml",
    "plugin_conf.process_limits_opts": "build.pids and build.nofile in adjutant.yaml",
    "plugin_conf.rpmautospec_enable": "the tag's srpm_preprocess",
    "plugin_conf.rpmautospec_opts": "the tag's srpm_preprocess",
    "plugin_conf.tmpfs_enable": "build.tmp_size in adjutant.yaml for /tmp",
    "plugin_conf.tmpfs_opts": "build.tmp_size in adjutant.yaml for /tmp",
    "cpu_cores": "build.cpus in adjutant.yaml",
}
"""Options whose effect is had by another setting, and which one."""
