"""Tag settings become a root's settings with kojid's precedence (contract 4.0.2)."""

import pytest

from koji_adjutant.buildroot.faults import RootFault
from koji_adjutant.buildroot.settings import ENVIRONMENT
from koji_adjutant.config.kojid_options import KojidOptions


def test_a_plain_tag_gives_kojids_macros(settings_of):
    """The fixed macros of the contract, mock's multiplier and the host's name, and no other."""
    assert settings_of(build_host="builder1.example.com").macros == {
        "%_topdir": "/builddir/build",
        "%_rpmfilename": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
        "%_host": "x86_64-koji-linux-gnu",
        "%_host_cpu": "x86_64",
        "%vendor": "Vendor",
        "%packager": "Packager",
        "%distribution": "Distribution",
        "%_platform_multiplier": "1",
        "%_buildhost": "builder1.example.com",
    }


@pytest.mark.parametrize(
    "name", ["vendor", "packager", "distribution", "_rpmfilename", "_platform_multiplier", "_buildhost"]
)
def test_a_tag_macro_beats_the_defaults(settings_of, name):
    """What the tag says about these counts, as text."""
    assert settings_of({f"rpm.macro.{name}": 5}, build_host="b").macros[f"%{name}"] == "5"


@pytest.mark.parametrize("name", ["_topdir", "_host", "_host_cpu"])
def test_a_tag_macro_cannot_move_the_work_area(settings_of, name):
    """These three are set after the tag's."""
    assert settings_of({f"rpm.macro.{name}": "mine"}).macros == settings_of().macros


def test_tag_environment_comes_on_top_of_mocks(settings_of):
    """A tag may change and add variables; nothing else is in the environment."""
    env = settings_of({"rpm.env.LANG": "C", "rpm.env.NUMBER": 3}).env
    assert env == {**ENVIRONMENT, "LANG": "C", "NUMBER": "3"}


def test_a_variable_that_no_environment_can_hold_is_named(settings_of):
    """It is left out and reported, and the build goes on."""
    settings = settings_of({"rpm.env.": "x", "rpm.env.A=B": "x", "rpm.env.NUL": "a\0b", "rpm.env.OK": "1"})
    assert set(settings.env) == {*ENVIRONMENT, "OK"}
    assert [name for name, _ in settings.ignored] == ["rpm.env.", "rpm.env.A=B", "rpm.env.NUL"]


def test_every_mock_setting_of_the_contract_is_read(settings_of):
    """One tag with all of them."""
    settings = settings_of(
        {
            "mock.package_manager": "dnf5",
            "mock.releasever": 40,
            "mock.module_setup_commands": [["enable", "perl:5.30, ruby:3"], ["reset", None]],
            "mock.use_bootstrap": False,
            "mock.bootstrap_image": "registry/fedora:40",
            "mock.yum.best": "1",
            "mock.yum.module_hotfixes": True,
        },
        bootstrap_image_allowed=True,
    )
    assert settings.package_manager == "dnf5"
    assert settings.releasever == "40"
    assert settings.module_setup_commands == (("module", "enable", "perl:5.30", "ruby:3"), ("module", "reset"))
    assert settings.use_bootstrap is False
    assert settings.bootstrap_image == "registry/fedora:40"
    assert settings.best
    assert settings.module_hotfixes
    assert settings.ignored == ()


def test_settings_without_a_meaning_are_named_once_each(settings_of):
    """Chroot kind, image readiness, signing and what nobody knows; with a reason each."""
    extra = {
        "mock.new_chroot": 1,
        "mock.bootstrap_image_ready": True,
        "mock.bootstrap_image": "registry/x",
        "mock.plugin_conf.sign_enable": True,
        "mock.plugin_conf.sign_opts.cmd": "x",
        "mock.plugin_conf.sign_opts.opts": "y",
        "mock.typo": 1,
        "repo.auto": True,
    }
    settings = settings_of(extra)
    assert [name for name, _ in settings.ignored] == sorted(set(extra) - {"repo.auto"})
    assert all(reason for _, reason in settings.ignored)
    assert settings.bootstrap_image is None


def test_half_a_sign_configuration_fails_in_kojids_words(settings_of):
    """The odd quote at the end is kojid's."""
    with pytest.raises(RootFault) as caught:
        settings_of({"mock.plugin_conf.sign_enable": True})
    assert str(caught.value) == "Tag is not configured properly for mock's sign plugin'"


def test_a_best_that_is_no_number_is_named(settings_of):
    """Kojid shows a traceback; here tag, setting and value."""
    with pytest.raises(RootFault, match=r"mock\.yum\.best of tag tag-build must be a number, not 'yes'"):
        settings_of({"mock.yum.best": "yes"})


def test_armhfp_is_built_as_armv7hl(settings_of):
    """The repository keeps Koji's name, macros and --target get the one that autoconf knows."""
    settings = settings_of(arch="armhfp")
    assert (settings.br_arch, settings.target_arch, settings.macros["%_host_cpu"]) == ("armhfp", "armv7hl", "armv7hl")
    assert settings.personality == "linux32"


def test_i686_is_built_from_the_i386_repository(settings_of):
    """Canonical arch for the hub, literal arch for rpmbuild."""
    settings = settings_of(arch="i686")
    assert (settings.br_arch, settings.target_arch, settings.personality) == ("i386", "i686", "linux32")


def test_forcearch_is_the_target_and_multiplies_timeouts(settings_of):
    """Mock sets the multiplier to 10; under emulation no personality is needed."""
    settings = settings_of({"mock.forcearch": True}, arch="armhfp")
    assert settings.forcearch == "armv7hl"
    assert settings.macros["%_platform_multiplier"] == "10"
    assert settings.personality is None
    assert settings_of({"mock.forcearch": False}).forcearch is None


def test_a_cpu_limit_reaches_rpmbuild_unless_the_tag_says_more(settings_of):
    """A fraction is rounded up; the tag's own macro and variable win."""
    limited = settings_of().with_cpu_limit(2.5)
    assert (limited.macros["%_smp_ncpus_max"], limited.env["RPM_BUILD_NCPUS"]) == ("3", "3")
    own = settings_of({"rpm.macro._smp_ncpus_max": "1", "rpm.env.RPM_BUILD_NCPUS": "9"}).with_cpu_limit(0.1)
    assert (own.macros["%_smp_ncpus_max"], own.env["RPM_BUILD_NCPUS"]) == ("1", "9")
    assert settings_of().with_cpu_limit(None) == settings_of()


def test_kojids_own_options_fit(settings_of):
    """The real options object has every option that is asked for."""
    kojid = KojidOptions(
        server="http://hub/kojihub", topurl="http://hub", topurls=("http://hub",), yum_proxy="http://proxy:3128"
    )
    settings = settings_of(options=kojid)
    assert settings.macros["%vendor"] == "Koji"
    assert settings.proxy == "http://proxy:3128"
    assert settings.rpmbuild_timeout == 86400
