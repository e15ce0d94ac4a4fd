"""Which URLs a build may fetch through the daemon."""

from __future__ import annotations

import pytest

from koji_adjutant.buildroot.repo_proxy_rules import (
    Location,
    allowed_location,
    is_immutable,
    parse_location,
    proxied_url,
    tunnel_allowed,
)

PREFIXES = [
    parsed
    for url in (
        "http://hub.example.com/kojifiles/repos/f40/1/x86_64",
        "https://repo.example.com:8443/ext/",
        "https://a.b/c",
    )
    if (parsed := parse_location(url))
]


@pytest.mark.parametrize(
    ("url", "fetched"),
    [
        ("http://hub.example.com/kojifiles/repos/f40/1/x86_64/repodata/repomd.xml", None),
        ("http://hub.example.com/kojifiles/repos/f40/1/x86_64", None),
        (
            "http://HUB.example.com:80/kojifiles/repos/f40/1/x86_64/a.rpm",
            "http://hub.example.com:80/kojifiles/repos/f40/1/x86_64/a.rpm",
        ),
        (
            "http://hub.example.com./kojifiles/repos/f40/1/x86_64/a%2b.rpm",
            "http://hub.example.com/kojifiles/repos/f40/1/x86_64/a%2b.rpm",
        ),
        ("https://repo.example.com:8443/ext/x", None),
        ("http://repo.example.com:8443/ext/x", "https://repo.example.com:8443/ext/x"),
        ("http://a.b/c/d?e=f", "https://a.b/c/d?e=f"),
    ],
)
def test_urls_below_a_repository_are_served(url: str, fetched: str | None) -> None:
    """What lies below a prefix is fetched, from https where only that is allowed."""
    found = allowed_location(PREFIXES, url)
    assert found is not None
    assert found.url == (fetched or url)


@pytest.mark.parametrize(
    "url",
    [
        "http://hub.example.com/kojifiles/repos/f40/1/x86_64-evil/a.rpm",
        "http://hub.example.com/kojifiles/repos/f40/1/x86_64/../../../work/secret",
        "http://hub.example.com/kojifiles/repos/f40/1/x86_64/%2e%2e/%2E%2e/x",
        "http://hub.example.com/kojifiles/repos/f40/1/x86_64/..%2f..%2fx",
        "http://hub.example.com/kojifiles/repos/f40/1/x86_64/a\\..\\b",
        "http://user@hub.example.com/kojifiles/repos/f40/1/x86_64/a",
        "http://user:pw@hub.example.com/kojifiles/repos/f40/1/x86_64/a",
        "http://hub.example.com@evil.example/kojifiles/repos/f40/1/x86_64/a",
        "http://hub.example.com:8080/kojifiles/repos/f40/1/x86_64/a",
        "https://hub.example.com/kojifiles/repos/f40/1/x86_64/a",
        "https://repo.example.com/ext/x",
        "http://repo.example.com/ext/x",
        "ftp://hub.example.com/kojifiles/repos/f40/1/x86_64/a",
        "file:///etc/passwd",
        "/kojifiles/repos/f40/1/x86_64/a",
        "http://hub.example.com:99999/kojifiles",
        "http://[::1/x",
        "http://hub.example.com/kojifiles/repos/f40/1/x86_64/a\r\nHost: evil",
        "",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    """Other hosts, ports, schemes and paths, users in URLs, and every way to climb out of a prefix."""
    assert allowed_location(PREFIXES, url) is None


@pytest.mark.parametrize(
    ("host", "port", "allowed"),
    [
        ("repo.example.com", 8443, True),
        ("a.b", 443, True),
        ("A.B", 443, True),
        ("repo.example.com", 443, False),
        ("hub.example.com", 80, False),
        ("hub.example.com", 443, False),
    ],
)
def test_tunnels_lead_to_https_repositories_only(host: str, port: int, allowed: bool) -> None:
    """CONNECT is for hosts of repositories at https, at their port."""
    assert tunnel_allowed(PREFIXES, host, port) is allowed


@pytest.mark.parametrize(
    ("path", "immutable"),
    [
        ("/p/a-1-1.noarch.rpm", True),
        ("/r/repodata/" + "a" * 64 + "-primary.xml.gz", True),
        ("/r/repodata/repomd.xml", False),
        ("/r/repodata/primary.xml.gz", False),
        ("/r/pkglist", False),
    ],
)
def test_only_what_never_changes_is_kept(path: str, immutable: bool) -> None:
    """Packages, and metadata with a checksum in its name; never with a query."""
    assert is_immutable(Location("http", "h", None, path)) is immutable
    assert not is_immutable(Location("http", "h", None, path, "token=1"))


def test_proxied_url_lets_the_proxy_see_the_path() -> None:
    """An https repository is asked for as http through the proxy, with its port kept."""
    assert proxied_url("https://h:8443/x") == "http://h:8443/x"
    assert proxied_url("http://h/x") == "http://h/x"
    found = allowed_location(PREFIXES, proxied_url("https://a.b/c/x"))
    assert found is not None
    assert found.url == "https://a.b/c/x"
