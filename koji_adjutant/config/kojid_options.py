"""Every option kojid knows, by its own name, typed (contract 1.1 and 1.3)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from koji_adjutant.errors import ConfigurationError

DEFAULT_CONFIG_FILE = "/etc/kojid/kojid.conf"
MAVEN_REPO_IGNORE = (
    "*.md5",
    "*.sha1",
    "maven-metadata*.xml",
    "_maven.repositories",
    "_remote.repositories",
    "resolver-status.properties",
    "*.lastUpdated",
)


@dataclass(frozen=True, kw_only=True)
class KojidOptions:
    """The effective options of kojid.conf and the command line.

    koji's library takes an object with these attributes as `options`. Lists are tuples, but for `allowed_scms`, which koji's
    `SCM.assert_allowed` splits itself.
    """

    server: str
    topurl: str
    """The first of `topurls`."""
    topurls: tuple[str, ...]
    topdir: str = "/mnt/koji"
    workdir: str = "/var/tmp/koji"  # noqa: S108 -- kojid's default
    sleeptime: int = 15
    maxjobs: int = 10
    minspace: int = 8192
    log_level: str | None = None
    admin_emails: str | None = None
    plugin: tuple[str, ...] = ()
    pluginpath: str = "/usr/lib/koji-builder-plugins"
    rlimits: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """`RLIMIT_NAME` (upper case) to its text, "soft" or "soft hard"."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    cert: str | None = None
    serverca: str | None = None
    no_ssl_verify: bool = False
    krb_principal: str | None = None
    host_principal_format: str = "compile/%s@EXAMPLE.COM"
    keytab: str = "/etc/kojid/kojid.keytab"
    ccache: str = "/var/tmp/kojid.ccache"  # noqa: S108 -- kojid's default
    timeout: int | None = None
    max_retries: int = 120
    retry_interval: int = 60
    offline_retry: bool = True
    offline_retry_interval: int = 120
    use_fast_upload: bool = True
    allowed_scms: str = ""
    allowed_scms_use_config: bool = True
    allowed_scms_use_policy: bool = False
    allow_password_in_scm_url: bool = False
    scm_credentials_dir: str | None = None
    support_rpm_source_layout: bool = True
    packager: str = "Koji"
    vendor: str = "Koji"
    distribution: str = "Koji"
    mockhost: str = "koji-linux-gnu"
    rpmbuild_timeout: int = 86400
    yum_proxy: str | None = None
    log_timestamps: bool = False
    build_arch_can_fail: bool = False
    literal_task_arches: tuple[str, ...] = ()
    use_createrepo_c: bool = True
    createrepo_update: bool = True
    createrepo_skip_stat: bool = True
    distrepo_skip_stat: bool = False
    copy_old_repodata: bool = False
    failed_buildroot_lifetime: int = 14400
    buildroot_basic_cleanup_delay: int = 120
    buildroot_final_cleanup_delay: int = 86400
    mockdir: str = "/var/lib/mock"
    mockuser: str = "kojibuilder"
    chroot_tmpdir: str = "/chroot_tmpdir"
    mock_bootstrap_image: bool = False
    """True for any text but the empty one, `False` included, as in kojid."""
    maven_repo_ignore: tuple[str, ...] = MAVEN_REPO_IGNORE
    oz_install_timeout: int = 0
    xz_options: str = "-z6T0"
    allow_noverifyssl: bool = False
    smtphost: str = "example.com"
    smtp_user: str | None = None
    smtp_pass: str | None = field(default=None, repr=False)
    from_addr: str = "Koji Build System <buildsys@example.com>"
    task_avail_delay: int = 300
    pkgurl: str | None = None

    configfile: str = DEFAULT_CONFIG_FILE
    foreground: bool = False
    force_lock: bool = False
    verbose: bool = False
    debug: bool = False
    debug_task: bool = False
    debug_xmlrpc: bool = False
    skip_main: bool = False
    warnings: tuple[str, ...] = ()
    """Obsolete options that were given; the daemon logs each once its log is set up."""


COMMAND_LINE_ONLY = frozenset(
    {
        "configfile",
        "foreground",
        "force_lock",
        "verbose",
        "debug",
        "debug_task",
        "debug_xmlrpc",
        "skip_main",
        "warnings",
    }
)
"""Fields that no line of kojid.conf can set."""


def log_levels(options: KojidOptions) -> dict[str, int]:
    """Map logger names to levels: `log_level`, beaten by -v and -d; `--debug-task` for handlers alone (contract 1.1).

    Raises:
        ConfigurationError: `log_level` names no level of Python's logging.
    """
    level = logging.WARNING
    if options.log_level:
        named = getattr(logging, options.log_level, None)
        if type(named) is not int:
            raise ConfigurationError(
                f"Invalid log level: {options.log_level}",
                resolution=f"Set log_level in {options.configfile} to DEBUG, INFO, WARNING, ERROR or CRITICAL.",
            )
        level = named
    if options.debug or options.verbose:
        level = logging.DEBUG if options.debug else logging.INFO
    levels = {"koji": level, "koji_adjutant": level}
    if options.debug_task:
        levels["koji.build.BaseTaskHandler"] = levels["koji_adjutant.tasks"] = logging.DEBUG
    return levels
