"""The repository proxy against a real HTTP server, asked through its real socket."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from koji_adjutant.buildroot.repo_proxy import PackageCache, RepoProxy
from koji_adjutant.errors import ConfigurationError
from tests.support.repo_server import RepoServer

PACKAGE = os.urandom(300_000)


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("proxy", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


def ask(path: Path, url: str, method: str = "GET", **headers: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    """One request through the proxy."""
    connection = SocketConnection(path)
    try:
        connection.request(method, url, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RepoServer]:
    """A repository with one package, its metadata, and a secret beside it."""
    repo = tmp_path / "www" / "repo"
    (repo / "repodata").mkdir(parents=True)
    (repo / "a.rpm").write_bytes(PACKAGE)
    (repo / "repodata" / "repomd.xml").write_text("<repomd/>")
    (tmp_path / "www" / "secret").write_text("secret")
    with RepoServer(tmp_path / "www") as found:
        yield found


@pytest.fixture
def cache(tmp_path: Path) -> PackageCache:
    """An empty package cache of a megabyte."""
    return PackageCache(tmp_path / "cache", 1 << 20)


@pytest.fixture
def proxy(tmp_path: Path, server: RepoServer, cache: PackageCache) -> Iterator[RepoProxy]:
    """A proxy that allows the repository only."""
    with RepoProxy(tmp_path / "proxy.sock", [f"{server.url}/repo/"], cache=cache) as found:
        yield found


def asked_for(server: RepoServer, path: str) -> int:
    """How often the server was asked for `path`."""
    return sum(one == path for one, _ in server.requests)


def test_package_is_fetched_once_and_then_comes_from_the_cache(
    tmp_path: Path, proxy: RepoProxy, server: RepoServer, cache: PackageCache
) -> None:
    """The request of another task for an immutable file does not reach the repository."""
    with RepoProxy(tmp_path / "other.sock", [f"{server.url}/repo"], cache=cache) as other:
        for one in (proxy, other):
            status, body, headers = ask(one.socket_path, f"{server.url}/repo/a.rpm")
            assert (status, body) == (200, PACKAGE)
            assert headers["Content-Length"] == str(len(PACKAGE))
    assert asked_for(server, "/repo/a.rpm") == 1


def test_tasks_that_ask_at_once_share_one_download(tmp_path: Path, server: RepoServer, cache: PackageCache) -> None:
    """Many proxies with one cache that are asked at once fetch a package once."""
    results: list[bytes] = []
    with contextlib.ExitStack() as stack:
        proxies = [RepoProxy(tmp_path / f"{n}.sock", [f"{server.url}/repo"], cache=cache) for n in range(8)]
        sockets = [stack.enter_context(one).socket_path for one in proxies]
        threads = [
            threading.Thread(target=lambda path=path: results.append(ask(path, f"{server.url}/repo/a.rpm")[1]))
            for path in sockets
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert results == [PACKAGE] * 8
    assert asked_for(server, "/repo/a.rpm") == 1


def test_package_replaced_under_its_name_is_fetched_anew_for_who_asks_again(
    tmp_path: Path, proxy: RepoProxy, server: RepoServer, cache: PackageCache
) -> None:
    """A task that gets a stale package and asks again gets the new one, once fetched, and leaves it to all others."""
    url = f"{server.url}/repo/a.rpm"
    assert ask(proxy.socket_path, url)[1] == PACKAGE
    cache.flush()
    (server.directory / "repo/a.rpm").write_bytes(b"signed" + PACKAGE)
    with RepoProxy(tmp_path / "other.sock", [f"{server.url}/repo"], cache=cache) as other:
        found = [ask(other.socket_path, url)[1] for _ in range(4)]
    assert found == [PACKAGE, *[b"signed" + PACKAGE] * 3]
    cache.flush()
    assert asked_for(server, "/repo/a.rpm") == 2
    with RepoProxy(tmp_path / "third.sock", [f"{server.url}/repo"], cache=cache) as third:
        assert ask(third.socket_path, url)[1] == b"signed" + PACKAGE
    assert asked_for(server, "/repo/a.rpm") == 2


def test_metadata_that_changes_is_never_cached(proxy: RepoProxy, server: RepoServer) -> None:
    """repomd.xml is asked for each time and its new text arrives."""
    url = f"{server.url}/repo/repodata/repomd.xml"
    assert ask(proxy.socket_path, url)[1] == b"<repomd/>"
    (server.directory / "repo/repodata/repomd.xml").write_text("<new/>")
    assert ask(proxy.socket_path, url)[1] == b"<new/>"


def test_range_of_a_cached_package(proxy: RepoProxy, server: RepoServer) -> None:
    """A part of a package is a part, from a fresh download and from the cache."""
    for _ in range(2):
        status, body, headers = ask(proxy.socket_path, f"{server.url}/repo/a.rpm", Range="bytes=100-199")
        assert (status, body) == (206, PACKAGE[100:200])
        assert headers["Content-Range"] == f"bytes 100-199/{len(PACKAGE)}"


def test_head_has_the_length_and_no_body(proxy: RepoProxy, server: RepoServer) -> None:
    """HEAD is passed on."""
    status, body, headers = ask(proxy.socket_path, f"{server.url}/repo/a.rpm", "HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", str(len(PACKAGE)))


def test_url_outside_the_repositories_is_refused_by_name(proxy: RepoProxy, server: RepoServer) -> None:
    """403 names the URL, and the server is never asked."""
    for url in (f"{server.url}/secret", f"{server.url}/repo/../secret", "http://127.0.0.1:1/repo/a.rpm"):
        status, body, _ = ask(proxy.socket_path, url)
        assert status == 403
        assert url in body.decode()
    assert not server.requests


def test_missing_file_is_the_repositorys_404(proxy: RepoProxy, server: RepoServer) -> None:
    """A status of the repository is passed on, also for what could have been cached, and is not kept."""
    assert ask(proxy.socket_path, f"{server.url}/repo/none.rpm")[0] == 404
    (server.directory / "repo/none.rpm").write_bytes(b"now")
    assert ask(proxy.socket_path, f"{server.url}/repo/none.rpm")[:2] == (200, b"now")


def test_repository_that_is_down_is_502_with_its_url(proxy: RepoProxy, server: RepoServer) -> None:
    """Not reaching the repository is said with the URL."""
    server.close()
    url = f"{server.url}/repo/a.rpm"
    status, body, _ = ask(proxy.socket_path, url)
    assert status == 502
    assert url in body.decode()


def test_connect_to_another_host_is_refused(proxy: RepoProxy, server: RepoServer) -> None:
    """A repository at http gives no tunnel, not even to its own port."""
    connection = SocketConnection(proxy.socket_path)
    connection.request("CONNECT", f"127.0.0.1:{server.port}")
    assert connection.getresponse().status == 403
    connection.close()


def test_connect_to_an_https_repository_is_a_tunnel(tmp_path: Path) -> None:
    """Bytes pass both ways to the host and port of a repository at https."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with RepoProxy(tmp_path / "s", [f"https://127.0.0.1:{port}/x"]), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(tmp_path / "s"))
            client.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode())
            peer, _ = listener.accept()
            with peer:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += client.recv(1)
                assert b" 200 " in head
                client.sendall(b"ping")
                assert peer.recv(4) == b"ping"
                peer.sendall(b"pong")
                assert client.recv(4) == b"pong"


def test_restarted_daemon_serves_at_the_same_path(tmp_path: Path, server: RepoServer) -> None:
    """A socket that a killed daemon left does not stop the next one; stopping removes it."""
    path = tmp_path / "proxy.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    for _ in range(2):
        with RepoProxy(path, [f"{server.url}/repo"]):
            assert ask(path, f"{server.url}/repo/a.rpm")[0] == 200
        assert not path.exists()


def test_socket_path_may_be_longer_than_an_address(tmp_path: Path, server: RepoServer) -> None:
    """A deep work directory is no reason to fail."""
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    with RepoProxy(deep / "proxy.sock", [f"{server.url}/repo"]):
        assert (deep / "proxy.sock").is_socket()


def test_prefix_that_is_no_url_is_a_configuration_error(tmp_path: Path) -> None:
    """A repository that cannot be served is named when the proxy is made."""
    with pytest.raises(ConfigurationError, match="file:///mnt/koji"):
        RepoProxy(tmp_path / "s", ["file:///mnt/koji"])


def test_cache_that_may_be_deleted_at_any_time(proxy: RepoProxy, server: RepoServer, tmp_path: Path) -> None:
    """A deleted cache directory costs a download, nothing else."""
    ask(proxy.socket_path, f"{server.url}/repo/a.rpm")
    for path in sorted((tmp_path / "cache").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert ask(proxy.socket_path, f"{server.url}/repo/a.rpm")[:2] == (200, PACKAGE)
