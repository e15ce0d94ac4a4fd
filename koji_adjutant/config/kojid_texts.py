"""What each option of kojid.conf means here, for the reference and the sample file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class OptionText:
    """`example` is shown where there is no default to show."""

    meaning: str
    example: str = ""


_NO_MEANING = "Accepted so that kojid's file can stay; it has no effect here."


def _text(meaning: str, example: str = "") -> OptionText:
    return OptionText(meaning, example)


CONNECTION = {
    "server": _text("URL of the hub. Required.", "https://hub.example.com/kojihub"),
    "topurl": _text(
        "URL of the hub's files. Required. Several URLs, separated by blanks, are mirrors for package installs; everything "
        "else uses the first.",
        "https://hub.example.com/kojifiles",
    ),
    "cert": _text(
        "Client certificate and key in one PEM file; used first. Default: this file, if it exists.",
        "/etc/kojid/client.crt",
    ),
    "serverca": _text("CA certificates of the hub. Default: this file, if it exists.", "/etc/kojid/serverca.crt"),
    "no_ssl_verify": _text("Do not verify the hub's certificate when no serverca is set."),
    "user": _text("User of a password login; used when there is no cert, and then Kerberos is not tried.", "builder1"),
    "password": _text("Password of that user.", "CHANGEME"),
    "krb_principal": _text(
        "Kerberos principal. Default: host_principal_format.", "compile/builder1.example.com@EXAMPLE.COM"
    ),
    "host_principal_format": _text("Kerberos principal, with the host's full name for %s."),
    "keytab": _text("Keytab of the principal."),
    "ccache": _text("Credentials cache; removed at start when it is empty."),
    "timeout": _text("Seconds one request to the hub may take. Default: 12 hours.", "43200"),
    "max_retries": _text("Tries of one call while the hub cannot be reached."),
    "retry_interval": _text("Seconds between two tries; the first one follows at once."),
    "offline_retry": _text("Go on trying for ever while the hub says that it is offline."),
    "offline_retry_interval": _text("Seconds between two tries while the hub is offline."),
    "use_fast_upload": _text("Upload as raw bytes instead of base64."),
}
WORK = {
    "topdir": _text("Where the hub's files are mounted. Reading is enough, but for `artifacts: topdir`."),
    "workdir": _text("Directory of task work."),
    "sleeptime": _text("Seconds between two looks for tasks when idle."),
    "maxjobs": _text("Limit of open tasks."),
    "minspace": _text("MB that must be free for a task to be taken, measured where containers are stored."),
    "log_level": _text("Level of the log: DEBUG, INFO, WARNING, ERROR. Default WARNING; -v and -d win.", "INFO"),
    "admin_emails": _text("Comma-separated addresses that get errors by mail through localhost.", "root@example.com"),
    "plugin": _text("Plugins to load, separated by blanks; also as `plugins`.", "runroot save_failed_tree"),
    "pluginpath": _text("Directories of plugins, separated by colons."),
    "build_arch_can_fail": _text("A failed buildArch does not cancel its siblings."),
    "literal_task_arches": _text("Globs of arches whose buildArch task keeps the arch as it is.", "i?86 armv7*"),
    "task_avail_delay": _text(_NO_MEANING),
    "pkgurl": _text("Obsolete; a warning.", "https://hub.example.com/packages"),
}
BUILDS = {
    "packager": _text("The macro %packager."),
    "vendor": _text("The macro %vendor."),
    "distribution": _text("The macro %distribution."),
    "mockhost": _text("End of the macro %_host, after the arch."),
    "rpmbuild_timeout": _text("Seconds one build may take."),
    "yum_proxy": _text("Proxy through which packages are fetched.", "http://proxy.example.com:3128"),
    "log_timestamps": _text("Write a second log with time stamps beside each log of a build."),
    "chroot_tmpdir": _text("Scratch directory inside the buildroot."),
    "mockdir": _text("Directory of buildroots under kojid; plugins use paths below it. No directory is needed here."),
    "mockuser": _text("User kojid ran mock as. Accepted; builds run in a user namespace of their own."),
    "mock_bootstrap_image": _text(
        "Allow the tag setting mock.bootstrap_image. As in kojid any text turns it on, `False` too; leave it out to keep "
        "it off.",
        "True",
    ),
    "failed_buildroot_lifetime": _text("Seconds the root of a failed task is kept, while there is disk."),
    "buildroot_basic_cleanup_delay": _text("Seconds until the contents of a finished root go."),
    "buildroot_final_cleanup_delay": _text("Seconds until the rest of a finished root goes."),
    "support_rpm_source_layout": _text("Look in SPECS/ and SOURCES/ of a checkout too."),
}
SOURCES = {
    "allowed_scms": _text(
        "What may be checked out: host:repository[:use_common[:source_cmd]] entries, separated by blanks. Default: nothing.",
        "git.example.com:/rpms/*:no",
    ),
    "allowed_scms_use_config": _text("Apply allowed_scms."),
    "allowed_scms_use_policy": _text("Apply the hub's policy build_from_scm."),
    "allow_password_in_scm_url": _text("Accept user:password@host in SCM URLs."),
    "scm_credentials_dir": _text(
        "Directory shown as /credentials to checkout and source command, which can copy it.",
        "/etc/kojid/scmcredentials",
    ),
}
REPOSITORIES = {
    "use_createrepo_c": _text("Accepted; createrepo_c is always used."),
    "createrepo_update": _text("Start from the former repodata."),
    "createrepo_skip_stat": _text("Take rpms as unchanged in createrepo tasks."),
    "distrepo_skip_stat": _text("The same in dist-repo tasks."),
    "copy_old_repodata": _text("Copy repodata that would not change."),
    "maven_repo_ignore": _text("Globs of files that are no results of a Maven build."),
}
OTHERS = {
    "smtphost": _text("Mail server of notification tasks."),
    "smtp_user": _text("User at that mail server.", "buildsys@example.com"),
    "smtp_pass": _text("Password at that mail server.", "CHANGEME"),
    "from_addr": _text("Sender of notifications."),
    "oz_install_timeout": _text(_NO_MEANING),
    "xz_options": _text("Argument of xz for raw-xz images."),
    "allow_noverifyssl": _text(_NO_MEANING),
}
GROUPS: Mapping[str, Mapping[str, OptionText]] = {
    "The hub": CONNECTION,
    "Work": WORK,
    "Builds": BUILDS,
    "Sources": SOURCES,
    "Repositories": REPOSITORIES,
    "Mail and images": OTHERS,
}
"""All options by topic."""
