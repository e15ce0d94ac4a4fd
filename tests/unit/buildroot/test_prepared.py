"""Prepared images: keys, eviction, one preparation at a time."""

from dataclasses import fields, replace

import pytest

from koji_adjutant.buildroot.prepared import (
    LABEL_PREPARED,
    PreparedImage,
    PreparedKey,
    install_settings,
    to_evict,
)

KEY = PreparedKey("http://hub/kojifiles", 7, "aa", "sha256:bb", "x86_64", None, "build", "{}")


def test_the_same_key_names_the_same_image():
    """Across processes: no hash of Python's is in it."""
    again = replace(KEY)
    assert again.reference == KEY.reference
    assert KEY.reference == f"localhost/koji-adjutant/prepared:{KEY.digest}"
    assert len(KEY.digest) == 64
    assert KEY.labels("tag")[LABEL_PREPARED] == KEY.digest


@pytest.mark.parametrize("name", [field.name for field in fields(PreparedKey)])
def test_every_part_of_a_key_counts(name):
    """Another value of any field is another image."""
    value = getattr(KEY, name)
    other = value + 1 if isinstance(value, int) else f"{value}x"
    assert replace(KEY, **{name: other}).digest != KEY.digest


def test_what_changes_an_install_changes_its_settings(settings_of):
    """Each of these gives another root from the same repository; macros of the build do not."""
    plain = install_settings(settings_of(), "dnf4", userns=True)
    others = [
        install_settings(settings_of({"mock.yum.best": 1}), "dnf4", userns=True),
        install_settings(settings_of({"mock.releasever": "9"}), "dnf4", userns=True),
        install_settings(settings_of({"mock.module_setup_commands": [["enable", "a:1"]]}), "dnf4", userns=True),
        install_settings(settings_of({"rpm.env.A": "b"}), "dnf4", userns=True),
        install_settings(settings_of(), "dnf5", userns=True),
        install_settings(settings_of(), "dnf4", userns=False),
    ]
    assert len({plain, *others}) == 7
    assert install_settings(settings_of({"rpm.macro.dist": ".el9"}), "dnf4", userns=True) == plain


def image(name, *, size=10, used=100.0, in_use=False):
    """One image of the store."""
    return PreparedImage(name, size, 0.0, used, in_use)


def evicted(images, **more):
    """Names that would go."""
    arguments = {"now": 1000.0, "max_bytes": 25, "max_age": 10_000.0, **more}
    return [found.reference for found in to_evict(images, **arguments)]


def test_nothing_goes_while_all_fits():
    """Exactly full is not too full."""
    assert evicted([image("a"), image("b", size=15)]) == []


def test_the_longest_unused_goes_first():
    """Until the rest fits, and no further."""
    assert evicted([image("new", used=300.0), image("old", used=100.0), image("mid", used=200.0)]) == ["old"]


def test_age_counts_even_if_there_is_room():
    """Unused for longer than allowed."""
    assert evicted([image("old", used=100.0), image("new", used=900.0)], max_age=500.0) == ["old"]


def test_images_in_use_or_about_to_be_used_are_kept():
    """They count for the sum, so that others go in their stead."""
    images = [
        image("used", used=1.0, in_use=True),
        image("start", used=2.0),
        image("idle", used=3.0),
        image("new", used=4.0),
    ]
    assert evicted(images, max_bytes=20, max_age=0.5, starting={"start"}) == ["idle", "new"]


def test_a_cache_without_room_keeps_only_what_is_used():
    """A limit of zero turns the cache off."""
    assert evicted([image("a"), image("b", in_use=True)], max_bytes=0) == ["a"]
