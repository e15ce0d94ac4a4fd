"""Files below topurl: whole, in parts, and nothing else."""

import http.client
import os
from urllib.parse import quote, urlsplit

import koji
import pytest
import requests


@pytest.fixture
def log(hub, builder):
    """URL of an uploaded file of 10 bytes."""
    task = builder.open_task()
    builder.upload(task, "build.log", b"0123456789")
    return f"{hub.topurl}/work/{koji.pathinfo.taskrelpath(task)}/build.log"


def test_whole_file(log):
    """GET gives the file, HEAD its size."""
    answer = requests.get(log, timeout=60)
    assert (answer.status_code, answer.content) == (200, b"0123456789")
    head = requests.head(log, timeout=60)
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "10", b"")
    assert head.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("wanted", "status", "content", "shown"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=5-100", 206, b"56789", "bytes 5-9/10"),
        ("bytes=-100", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
    ],
)
def test_part_of_a_file(log, wanted, status, content, shown):
    """A range gives that part, one outside the file is refused."""
    answer = requests.get(log, headers={"Range": wanted}, timeout=60)
    assert (answer.status_code, answer.headers["Content-Range"]) == (status, shown)
    assert content is None or answer.content == content


def test_missing_file(hub):
    """404."""
    assert requests.get(f"{hub.topurl}/work/nothing", timeout=60).status_code == 404


def raw_get(url, path):
    """GET of a path that no client library has tidied."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    connection.putrequest("GET", path, skip_host=False)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


@pytest.mark.parametrize("steps", ["../" * 12, "%2e%2e/" * 12, "..%2f" * 12, "work/" + "../" * 12, "%00"])
def test_nothing_outside(hub, steps):
    """No way out of topdir."""
    status, content = raw_get(hub.topurl, urlsplit(hub.topurl).path + "/" + steps + "etc/passwd")
    assert status in (400, 403, 404)
    assert b"root:" not in content


def test_no_link_outside(minihub, tmp_path):
    """A link that leads out of topdir is not followed; one that stays inside is."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (minihub.topdir / "work" / "out").symlink_to(secret)
    (minihub.topdir / "work" / "up").symlink_to("../..")
    (minihub.topdir / "packages" / "inside").write_text("inside")
    (minihub.topdir / "work" / "toplink").symlink_to("..")
    assert requests.get(f"{minihub.topurl}/work/out", timeout=60).status_code == 404
    assert requests.get(f"{minihub.topurl}/work/up/hub.db", timeout=60).status_code == 404
    assert requests.get(f"{minihub.topurl}/work/toplink/packages/inside", timeout=60).text == "inside"


def test_names_with_odd_characters(minihub):
    """Escapes in URLs are names on disk."""
    (minihub.topdir / "work" / "a b+c~1^ä#?.rpm").write_bytes(b"x")
    assert requests.get(f"{minihub.topurl}/work/{quote('a b+c~1^ä#?.rpm')}", timeout=60).content == b"x"


def test_only_regular_files(minihub):
    """Directories and pipes are not served, and a pipe does not hang the server."""
    os.mkfifo(minihub.topdir / "work" / "pipe")
    assert requests.get(f"{minihub.topurl}/work/pipe", timeout=60).status_code == 404
    assert requests.get(f"{minihub.topurl}/work", timeout=60).status_code == 404
    assert requests.get(minihub.url, timeout=60).status_code == 405


def test_directory_of_an_external_repo(minihub, tmp_path):
    """An external repo given by path is served by the hub itself."""
    (tmp_path / "ext").mkdir()
    (tmp_path / "ext" / "file").write_text("from outside")
    minihub.add_tag("t-build", None)
    minihub.add_external_repo("ext", (tmp_path / "ext").as_uri(), tag="t-build")
    (row,) = minihub.call("getExternalRepoList", "t-build")
    assert requests.get(row["url"] + "file", timeout=60).text == "from outside"
    assert raw_get(minihub.topurl, "/kojifiles/external/ext/..%2fminihub/hub.db")[0] == 404
    assert requests.get(f"{minihub.topurl}/external/other/file", timeout=60).status_code == 404
