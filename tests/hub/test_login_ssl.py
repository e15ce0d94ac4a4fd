"""Login by client certificate over TLS."""

import shutil
import threading
import time

import pytest

from koji_adjutant.errors import DaemonStopping, HubError
from koji_adjutant.hub.login import check_echo, connect
from tests.support.login_options import login_options
from tests.support.pki import PKI
from tests.support.xmlrpc_hub import TinyHub

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return PKI(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def certificate(pki):
    return pki.issue("builder1")


def common_name(handler):
    """Return the user of a client certificate, or answer 403 as a front end does that demands one."""
    subject = handler.connection.getpeercert()
    if not subject:
        handler.send_error(403)
        return None
    return dict(pair[0] for pair in subject["subject"])["commonName"]


@pytest.fixture
def hub(pki):
    tiny = TinyHub(tls=pki.server_context(client_certificates=True), authenticate=common_name)
    yield tiny
    tiny.stop()


def log_in(options):
    return connect(options, interrupt=threading.Event())


def test_certificate_logs_in_and_calls_go_on(hub, pki, certificate):
    """The hub sees the certificate's CN; http in `server` becomes https, as koji does it."""
    options = login_options(
        hub.url.replace("https:", "http:"), cert=str(certificate), serverca=str(pki.ca), user="ignored"
    )
    session = log_in(options)
    check_echo(session)
    assert hub.users == ["builder1"]
    child = session.subsession()
    check_echo(child)
    for one in (child, session):
        one.close()


def test_expired_certificate_session_is_renewed(hub, pki, certificate):
    """Renewal presents the certificate again and keeps id and numbers."""
    session = log_in(login_options(hub.url, cert=str(certificate), serverca=str(pki.ca)))
    for _ in range(3):
        session.echo(1)
    hub.sessions[session.sinfo["session-id"]]["expired"] = True
    assert session.echo(2) == [2]
    assert session.echo(3) == [3]
    assert hub.users == ["builder1", "builder1"]
    session.close()


def test_interrupt_ends_the_wait_for_an_answer_over_tls(hub, pki, certificate):
    """A silent hub does not hold up a stop when the connection is encrypted either."""
    interrupt = threading.Event()
    session = connect(login_options(hub.url, cert=str(certificate), serverca=str(pki.ca)), interrupt=interrupt)
    hub.trouble = ["hang"]
    hub.arrived.clear()
    threading.Thread(target=lambda: (hub.arrived.wait(60), interrupt.set())).start()
    started = time.monotonic()
    with pytest.raises(DaemonStopping):
        session.echo(1)
    assert time.monotonic() - started < 5
    session.rsession.close()


def test_unknown_authority_is_told(hub, certificate):
    """Without serverca the hub's certificate of a private CA cannot be checked: told at once, with the remedy."""
    with pytest.raises(HubError, match=r"Error: Unable to log in: .*certificate verify failed") as caught:
        log_in(login_options(hub.url, cert=str(certificate)))
    assert "serverca" in caught.value.resolution
    assert not caught.value.retryable


def test_certificate_of_another_authority_is_refused(hub, pki, tmp_path):
    """A certificate that the hub does not trust is a refusal, not an outage."""
    stranger = PKI(tmp_path / "other").issue("builder1")
    with pytest.raises(HubError, match=r"Error: Unable to (log in|connect)"):
        log_in(login_options(hub.url, cert=str(stranger), serverca=str(pki.ca)))
    assert hub.users == []


def test_missing_certificate_file_falls_to_the_next_way(hub, tmp_path):
    """`cert` that is no file is passed over, as kojid does (contract 1.5); here the password comes next."""
    plain = TinyHub()
    try:
        session = log_in(login_options(plain.url, cert=str(tmp_path / "none.pem"), user="builder1", password="pw"))
        session.close()
        assert [method for method, _ in plain.seen] == ["login", "logout"]
    finally:
        plain.stop()


def test_hub_that_is_away_is_told_as_kojid_tells_it(pki, certificate, hub):
    """A refused connection is 'Unable to connect to server', and may be retried."""
    hub.stop()
    with pytest.raises(HubError, match="Error: Unable to connect to server https://localhost") as caught:
        log_in(login_options(hub.url, cert=str(certificate), serverca=str(pki.ca)))
    assert caught.value.retryable
