"""The loops that install BuildRequires, round by round."""

import pytest

from koji_adjutant.buildroot.buildrequires import MAX_ROUNDS, Action, dynamic_loop, static_loop


def test_nothing_required_needs_no_package_manager():
    """A source package without BuildRequires goes straight on."""
    assert static_loop().generated(0, []).action is Action.BUILD


def test_requires_that_are_all_there_end_after_one_round():
    """The package manager was asked and had nothing to do, so the root is the same."""
    loop = static_loop().generated(0, ["gcc"])
    assert loop.action is Action.INSTALL
    assert loop.installed(changed=False).action is Action.BUILD


def test_a_changed_root_writes_the_source_package_again():
    """Macros of what was installed may ask for more; the same requires again end it without the package manager."""
    loop = static_loop().generated(0, ["a"]).installed(changed=True)
    assert loop.action is Action.GENERATE
    more = loop.generated(0, ["a", "b"])
    assert more.action is Action.INSTALL
    assert more.installed(changed=True).generated(0, ["a", "b"]).action is Action.BUILD


def test_a_failing_bs_ends_with_its_own_status():
    """Mock passes it through."""
    loop = static_loop().generated(1, [])
    assert (loop.action, loop.mock_status) == (Action.FAIL, 1)
    assert static_loop().generated(11, []).mock_status == 11


@pytest.mark.parametrize("exit_code", [0, 11])
def test_both_statuses_of_br_are_fine(exit_code):
    """With --nodeps, rpmbuild gives 11 every time."""
    assert dynamic_loop().generated(exit_code, ["zlib-devel"]).action is Action.INSTALL


@pytest.mark.parametrize("exit_code", [1, 2, 137])
def test_a_failing_br_is_mocks_build_error(exit_code):
    """Mock turns it into status 10."""
    loop = dynamic_loop().generated(exit_code, [])
    assert (loop.action, loop.mock_status) == (Action.FAIL, 10)


def test_dynamic_requires_that_show_one_after_the_other():
    """Three rounds that install something, a fourth that asks for nothing new."""
    loop = dynamic_loop(["gcc"])
    for requires in (["gcc", "zlib-devel"], ["gcc", "zlib-devel", "popt-devel"], ["zlib-devel", "m4 >= 1.4"]):
        loop = loop.generated(11, requires)
        assert loop.action is Action.INSTALL
        loop = loop.installed(changed=True)
    assert loop.generated(11, ["m4 >= 1.4", "gcc"]).action is Action.BUILD


def test_what_the_static_loop_installed_is_not_asked_for_again():
    """A generator that only repeats the spec's own BuildRequires costs no package manager run."""
    assert dynamic_loop(["gcc", "make"]).generated(11, ["make"]).action is Action.BUILD


def test_requires_that_never_settle_are_left_to_the_build():
    """After ten rounds mock builds, and rpmbuild says what is missing."""
    loop = dynamic_loop()
    rounds = 0
    while loop.action is Action.GENERATE:
        loop = loop.generated(11, [f"new-{rounds}"]).installed(changed=True)
        rounds += 1
    assert (rounds, loop.action) == (MAX_ROUNDS, Action.BUILD)
