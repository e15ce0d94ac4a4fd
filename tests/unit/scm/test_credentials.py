"""The operator's credentials for one container."""

import shutil
import stat

import pytest

from koji_adjutant.deep_trees import remove_tree
from koji_adjutant.errors import ConfigurationError
from koji_adjutant.scm.credentials import Credentials
from tests.support.deep import make_deep


def test_the_copy_is_open_within_and_closed_around(tmp_path):
    """Modes of the original (0600) mean nobody in a user namespace; links are followed, as in mounted secrets."""
    original = tmp_path / "given"
    (original / ".ssh").mkdir(parents=True, mode=0o700)
    (original / ".ssh" / "id_rsa").write_text("key")
    (original / ".ssh" / "id_rsa").chmod(0o600)
    (original / ".netrc").symlink_to(".ssh/id_rsa")
    credentials = Credentials(tmp_path / "copy", str(original))
    assert credentials.copy() == {".ssh/id_rsa", ".netrc"}
    mounted = (tmp_path / "copy" / "shown").stat().st_ino
    assert credentials.copy() == {".ssh/id_rsa", ".netrc"}
    assert (tmp_path / "copy" / "shown").stat().st_ino == mounted, "a running container would see nothing any more"
    (mount,) = credentials.mounts
    assert (mount.target, mount.read_only) == ("/credentials", True)
    modes = [stat.S_IMODE((tmp_path / "copy" / path).stat().st_mode) for path in (".", "shown", "shown/.ssh/id_rsa")]
    assert modes == [0o700, 0o755, 0o644]
    credentials.remove()
    credentials.remove()
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("original", [None, "absent", "file"])
def test_no_directory_means_none(tmp_path, original):
    """As kojid: a setting that names no directory gives nothing, and says nothing."""
    (tmp_path / "file").touch()
    credentials = Credentials(tmp_path / "copy", original and str(tmp_path / original))
    assert (credentials.given, credentials.copy(), credentials.mounts) == (False, frozenset(), ())


def test_what_is_no_file_is_left_out(tmp_path):
    """A link to nothing keeps nobody from checking out."""
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "dangling").symlink_to("absent")
    (tmp_path / "given" / "key").touch()
    assert Credentials(tmp_path / "copy", str(tmp_path / "given")).copy() == {"key"}


def test_what_cannot_be_copied_is_the_operators(tmp_path, monkeypatch):
    """Named by the setting."""
    (tmp_path / "given").mkdir()

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "given" / "key").touch()
    monkeypatch.setattr(shutil, "copy2", refuse)
    with pytest.raises(ConfigurationError, match=r"scm_credentials_dir .*/given cannot be copied"):
        Credentials(tmp_path / "copy", str(tmp_path / "given")).copy()


def test_links_are_followed_and_circles_end(tmp_path):
    """A link to a directory brings what is there, one to a directory above brings nothing."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "key").write_text("k")
    (tmp_path / "given" / "sub").mkdir(parents=True)
    (tmp_path / "given" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "given" / "sub" / "up").symlink_to("..")
    assert Credentials(tmp_path / "copy", str(tmp_path / "given")).copy() == {"link/key"}


def test_thousand_directories_in_one_another(tmp_path):
    """Copied and removed all the same."""
    (make_deep(tmp_path / "given", 1200) / "key").write_text("k")
    credentials = Credentials(tmp_path / "copy", str(tmp_path / "given"))
    assert credentials.copy() == {"/".join(["d"] * 1200) + "/key"}
    credentials.remove()
    remove_tree(tmp_path / "given")
    assert not list(tmp_path.iterdir())
