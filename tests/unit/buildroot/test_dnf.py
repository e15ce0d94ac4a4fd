"""Configuration and command lines of the package manager outside the root."""

import json
from dataclasses import replace

import pytest

from koji_adjutant.buildroot import dnf
from koji_adjutant.buildroot.dnf import DnfLayout, Flavour, PackageManager
from koji_adjutant.buildroot.macros import macro_file, outside_macro_file, root_dbpath
from koji_adjutant.errors import ConfigurationError

DNF4 = PackageManager(Flavour.DNF4, "/usr/bin/dnf-3")
DNF5 = PackageManager(Flavour.DNF5, "/usr/bin/dnf5")
FULL = {
    "mock.releasever": "40",
    "mock.forcearch": True,
    "mock.yum.best": 1,
    "mock.yum.module_hotfixes": 1,
    "mock.module_setup_commands": [["enable", "perl:5.30"]],
    "rpm.macro.dist": ".el9",
    "rpm.env.MAKEFLAGS": "-k -s",
}


def rendering(settings):
    """Everything that the package manager is given, as one text."""
    parts = []
    for manager in (DNF4, DNF5):
        layout = DnfLayout()
        parts.append(f"# {manager.flavour}")
        commands = [
            *dnf.module_commands(settings, layout, manager),
            dnf.install_group(settings, layout, manager),
            dnf.builddep(settings, layout, manager, ["/buildroot/builddir/build/SRPMS/a b.src.rpm"]),
            dnf.install(settings, layout, manager, ["rpmautospec"]),
        ]
        parts += [json.dumps(command) for command in commands]
    parts += [f"# {path}\n{data.decode()}" for path, data in dnf.config_files(settings, DnfLayout()).items()]
    parts.append("# environment\n" + json.dumps(dnf.environment(settings, DnfLayout()), indent=1, sort_keys=True))
    parts.append("# /builddir/.rpmmacros\n" + macro_file(settings.macros).decode())
    return "\n".join(parts)


def test_a_plain_tag_is_rendered_as_before(settings_of, golden):
    """What a tag without any setting gives."""
    golden("plain-tag.txt", rendering(settings_of(build_host="builder1")))


def test_a_tag_with_every_setting_is_rendered_as_before(settings_of, golden, options):
    """What a tag and a site with all settings give."""
    options.yum_proxy = "http://proxy:3128"
    urls = ["http://one/repos/tag-build/9/x86_64", "http://two/repos/tag-build/9/x86_64"]
    golden("full-tag.txt", rendering(settings_of(FULL, repo_urls=urls)))


def test_nothing_of_the_image_is_read(settings_of):
    """Configuration, variables, plugin settings and repositories are all named."""
    command = dnf.install_group(settings_of(), DnfLayout(), DNF4)
    assert command[1:3] == ["--config", "/var/lib/adjutant/dnf.conf"]
    assert "--setopt=varsdir=/var/lib/adjutant/vars" in command
    assert "--setopt=pluginconfpath=/var/lib/adjutant/plugins" in command
    assert "reposdir=/dev/null" in dnf.config_text(settings_of())


def test_dnf5_takes_allowerasing_after_its_subcommand(settings_of):
    """Before it, dnf5 ends with an unknown argument."""
    command = dnf.builddep(settings_of(), DnfLayout(), DNF5, ["x.src.rpm"])
    assert command[command.index("builddep") + 1 :] == ["--allowerasing", "x.src.rpm"]


@pytest.mark.parametrize(
    ("wanted", "listing", "chosen"),
    [
        ("dnf", "/usr/bin/dnf-3 /usr/bin/dnf-3\n/usr/bin/dnf /usr/bin/dnf-3\n", DNF4),
        ("dnf", "/usr/bin/dnf5 /usr/bin/dnf5\n/usr/bin/dnf /usr/bin/dnf5\n", DNF5),
        ("dnf5", "/usr/bin/dnf-3 /usr/bin/dnf-3\n/usr/bin/dnf5 /usr/bin/dnf5\n", DNF5),
        ("yum", "/usr/bin/yum /usr/bin/dnf-3\n", PackageManager(Flavour.DNF4, "/usr/bin/yum")),
        ("dnf5", "/usr/bin/dnf /usr/bin/dnf-3\n", PackageManager(Flavour.DNF4, "/usr/bin/dnf")),
    ],
)
def test_the_package_manager_falls_back_as_mocks(wanted, listing, chosen):
    """What the tag wants if it is there, else the other one."""
    assert dnf.choose_package_manager(wanted, listing) == chosen


def test_an_image_without_a_package_manager_is_named_as_that():
    """With what to do about it."""
    with pytest.raises(ConfigurationError, match="no package manager in the tools image: wanted dnf"):
        dnf.choose_package_manager("dnf", "")


@pytest.mark.parametrize("program", ["/usr/local/bin/dnf", "/tmp/dnf", "dnf", "/usr/bin/sh", "/usr/bin/../../tmp/dnf"])
def test_only_the_systems_own_programs_are_package_managers(program):
    """Whatever else a tools container names is passed over; sbin is where merged systems find theirs."""
    with pytest.raises(ConfigurationError, match="no package manager"):
        dnf.choose_package_manager("dnf", f"{program} /usr/bin/dnf-3\n")
    listing = f"{program} /usr/bin/dnf-3\n/usr/sbin/dnf /usr/bin/dnf-3\n"
    assert dnf.choose_package_manager("dnf", listing) == PackageManager(Flavour.DNF4, "/usr/sbin/dnf")


def test_leftovers_stand_in_the_root_and_not_in_tools():
    """What is removed before a commit is below the root."""
    layout = DnfLayout(root="/proc/7/root")
    assert layout.leftovers == ("/proc/7/root/var/lib/adjutant",)


@pytest.mark.parametrize(
    ("tools", "root"),
    [
        ("/usr/lib/sysimage/rpm\n", "/usr/lib/sysimage/rpm"),
        ("/var/lib/rpm\n", "/var/lib/rpm"),
        ("/root/.rpmdb\n", "/var/lib/rpm"),
        ("", "/var/lib/rpm"),
    ],
)
def test_the_rpmdb_goes_where_the_root_looks_for_it(tools, root):
    """Debian's rpm keeps a database in the home directory, which no root reads."""
    assert root_dbpath(tools) == root


def test_outside_macros_name_database_and_mounts():
    """Rpm must leave the mounts of a root alone."""
    assert outside_macro_file("/var/lib/rpm", ["/proc", "/etc/hosts"]) == (
        b"%_dbpath /var/lib/rpm\n%_netsharedpath /proc:/etc/hosts\n%_pkgverify_level none\n"
    )


def test_several_top_urls_are_mirrors_of_one_repository(settings_of):
    """One repository with all of them, as kojid writes it."""
    settings = replace(settings_of(), repo_urls=("http://a/r", "http://b/r"))
    assert "[build]\nname=build\nbaseurl=http://a/r\n        http://b/r\n" in dnf.config_text(settings)
