"""Who has the token gets a cookie; nobody else sees anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from koji_adjutant.monitoring import login
from koji_adjutant.monitoring.guard import COOKIE, Secret
from koji_adjutant.monitoring.server import Tls
from tests.support.made_up_daemon import MadeUpDaemon
from tests.support.pki import PKI
from tests.support.served_page import served

TOKEN = "correct horse battery staple"


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A page with a token."""
    monkeypatch.setattr(login, "REFUSAL_SECONDS", 0.0)
    with served(MadeUpDaemon(tmp_path), token=TOKEN) as address:
        yield address


def test_without_a_token_only_the_form_is_seen(session: requests.Session, address: str) -> None:
    """Page and API send to it, each in its way; what the form looks like is no secret."""
    answers = [
        session.get(address + path, allow_redirects=False) for path in ("/", "/api/status", "/metrics", "/login")
    ]
    assert [answer.status_code for answer in answers] == [303, 401, 401, 200]
    assert answers[0].headers["location"] == "login"
    assert "error" in answers[1].json()
    assert session.get(address + "/static/page.css").status_code == 200


def test_the_token_gives_a_cookie(session: requests.Session, address: str) -> None:
    """No script reads it, no other site sends it, it is not the token, and it is taken back by logging out."""
    answer = session.post(address + "/login", data={"token": TOKEN}, allow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    cookie = answer.headers["set-cookie"].lower()
    assert ("httponly" in cookie, "samesite=strict" in cookie, TOKEN in cookie) == (True, True, False)
    assert session.get(address + "/api/status").json()["login"] is True
    session.post(address + "/logout")
    assert session.get(address + "/api/status").status_code == 401


def test_a_wrong_token_gives_none(session: requests.Session, address: str) -> None:
    """The form comes again, with a word; what is no form is refused."""
    answer = session.post(address + "/login", data={"token": "<b>wrong</b>"})
    assert (answer.status_code, "set-cookie" in answer.headers, 'role="alert"' in answer.text) == (401, False, True)
    assert "wrong" not in answer.text
    assert session.post(address + "/login", data="token=" + "x" * 5000).status_code == 413
    assert session.post(address + "/login", data=b"\xff").status_code == 413
    assert session.post(address + "/login?token=" + TOKEN).status_code == 401


def test_a_token_in_an_address_is_not_taken(session: requests.Session, address: str) -> None:
    """It would stand in histories and logs of proxies."""
    assert session.get(address + "/api/status", params={"token": TOKEN}).status_code == 401


@pytest.mark.parametrize(
    ("given", "known"),
    [
        (Secret(TOKEN).cookie(2000), True),
        (Secret(TOKEN).cookie(999), False),
        (Secret("another").cookie(2000), False),
        ("2000." + Secret(TOKEN).cookie(3000).partition(".")[2], False),
        ("2000.", False),
        ("x." + "0" * 64, False),
        ("", False),
        ("9" * 400 + ".x", False),
        ("²." + "0" * 64, False),
    ],
)
def test_cookies(given: str, *, known: bool) -> None:
    """A cookie is good until its time, as long as the token stays, and cannot be made or mended without it."""
    assert Secret(TOKEN).is_cookie(given, 1000.0) is known


@pytest.mark.parametrize("header", [f'{COOKIE}="', f"{COOKIE}=;;;", "=", "\x7f=\x7f"])
def test_broken_cookies_are_none(session: requests.Session, address: str, header: str) -> None:
    """They raise nothing."""
    assert session.get(address + "/api/status", headers={"Cookie": header}).status_code == 401


def test_nothing_changes_anything(session: requests.Session, address: str) -> None:
    """Every method but reading is refused everywhere, token or not."""
    session.headers["Authorization"] = f"Bearer {TOKEN}"
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        answer = session.request(method, address + "/api/status")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert session.head(address + "/api/status").status_code == 200


def test_a_client_certificate_is_asked_for(session: requests.Session, tmp_path: Path) -> None:
    """Who has none of the authority's gets no answer at all."""
    session.headers["Connection"] = "close"
    pki = PKI(tmp_path / "pki")
    server, client = pki.issue("localhost", host=True), pki.issue("prometheus")
    with served(MadeUpDaemon(tmp_path), tls=Tls(server, client_ca=pki.ca)) as address:
        probe = address.replace("127.0.0.1", "localhost") + "/healthz"
        with pytest.raises(requests.exceptions.ConnectionError):
            session.get(probe, verify=str(pki.ca))
        assert session.get(probe, verify=str(pki.ca), cert=str(client)).text == "ok\n"


def test_the_cookie_of_a_page_with_tls_stays_there(session: requests.Session, tmp_path: Path) -> None:
    """It is marked `Secure`."""
    session.headers["Connection"] = "close"
    pki = PKI(tmp_path / "pki")
    with served(MadeUpDaemon(tmp_path), tls=Tls(pki.issue("localhost", host=True)), token=TOKEN) as address:
        form = address.replace("127.0.0.1", "localhost") + "/login"
        answer = session.post(form, data={"token": TOKEN}, allow_redirects=False, verify=str(pki.ca))
        assert "secure" in answer.headers["set-cookie"].lower()
