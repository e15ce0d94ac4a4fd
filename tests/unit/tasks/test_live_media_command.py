"""What livemedia-creator is called with, in kojid's order."""

import koji
import pytest

from koji_adjutant.tasks.live_media_command import Paths, iso_name, media_command, volume_id

FACTS = ("Cloud-Server", "Rawhide", "20250101.n.0", "x86_64")
PATHS = Paths("/chroot_tmpdir", "/chroot_tmpdir/koji-image-t-7.ks")


def test_command():
    """The options of every image."""
    assert media_command(("live", "1", "2", "aarch64"), PATHS, {}, "") == [
        "/sbin/livemedia-creator",
        "--ks",
        "/chroot_tmpdir/koji-image-t-7.ks",
        "--logfile",
        "/chroot_tmpdir/lmc-logs/livemedia-out.log",
        "--no-virt",
        "--resultdir",
        "/chroot_tmpdir/lmc",
        "--project",
        "live",
        "--make-iso",
        "--volid",
        "live-1-2",
        "--iso-only",
        "--iso-name",
        "live-aarch64-1-2.iso",
        "--releasever",
        "1",
        "--nomacboot",
    ]


def test_options():
    """Those that a user can ask for."""
    opts = {"squashfs_only": True, "compress_arg": ["-b", "1M"], "volid": "ID"}
    command = media_command(FACTS, Paths("/t", "/t/k", "/t/lorax/x"), opts, "quiet splash")
    assert command[command.index("--volid") + 1] == "ID"
    assert command[command.index("--iso-name") + 4 :] == [
        "--macboot",
        "--extra-boot-args",
        '"quiet splash"',
        "--lorax-templates",
        "/t/lorax/x",
        "--squashfs-only",
        "--compress-arg",
        "-b",
        "--compress-arg",
        "1M",
    ]


def test_mac_boot_is_left_out_when_asked():
    """Only x86_64 has it at all."""
    assert "--nomacboot" in media_command(FACTS, PATHS, {"nomacboot": True}, "")


def test_volume_id():
    """Words are shortened and the whole is cut; what was asked for is not."""
    assert volume_id(FACTS, None) == "C-S-rawh-20250101.n.0"
    assert len(volume_id(("n" * 40, "1", "1", "x"), None)) == 32
    with pytest.raises(koji.LiveMediaError, match=r"^volume ID is longer than 32 characters$"):
        volume_id(FACTS, "v" * 33)


def test_name():
    """The arch comes second."""
    assert iso_name(FACTS) == "Cloud-Server-x86_64-Rawhide-20250101.n.0.iso"
