"""Login by GSSAPI with a keytab, against a real KDC on loopback."""

import base64
import os
import shutil
import threading

import pytest

from koji_adjutant.errors import HubError
from koji_adjutant.hub.login import check_echo, connect
from tests.support.kdc import KDC, REALM, missing_programs
from tests.support.login_options import login_options
from tests.support.pki import PKI
from tests.support.xmlrpc_hub import TinyHub

gssapi = pytest.importorskip("gssapi")
pytestmark = [
    pytest.mark.skipif(bool(missing_programs()), reason=f"needs krb5-kdc: {missing_programs()}"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl"),
]
PRINCIPAL = f"compile/builder1.example.com@{REALM}"


@pytest.fixture(scope="module")
def kdc(tmp_path_factory):
    """A running KDC, and this process's Kerberos pointed at it."""
    kdc = KDC(tmp_path_factory.mktemp("kdc"))
    before = {name: os.environ.get(name) for name in kdc.environment}
    os.environ.update(kdc.environment)
    kdc.start()
    yield kdc
    kdc.stop()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest.fixture(scope="module")
def keytab(kdc):
    return kdc.keytab(PRINCIPAL.partition("@")[0])


@pytest.fixture(scope="module")
def service_keytab(kdc):
    return kdc.keytab("HTTP/localhost")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return PKI(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def hub(pki, service_keytab):
    """A hub behind a front that speaks SPNEGO, as mod_auth_gssapi does."""
    credentials = gssapi.Credentials(usage="accept", store={"keytab": str(service_keytab)})

    def negotiate(handler):
        kind, _, token = handler.headers.get("Authorization", "").partition(" ")
        if kind != "Negotiate":
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", "Negotiate")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return None
        context = gssapi.SecurityContext(creds=credentials, usage="accept")
        handler.proof = base64.b64encode(context.step(base64.b64decode(token))).decode()
        return str(context.initiator_name)

    tiny = TinyHub(tls=pki.server_context(client_certificates=False), authenticate=negotiate)
    yield tiny
    tiny.stop()


@pytest.fixture
def options(hub, keytab, pki, tmp_path):
    def make(**changed):
        defaults = {"keytab": str(keytab), "ccache": f"{tmp_path}/ccache", "serverca": str(pki.ca)}
        return login_options(hub.url, **{**defaults, **changed})

    return make


def log_in(options):
    return connect(options, interrupt=threading.Event())


def test_keytab_logs_in(hub, options):
    """The hub sees the principal; calls and subsessions go on without Kerberos; the environment is as before."""
    before = dict(os.environ)
    session = log_in(options(krb_principal=PRINCIPAL))
    check_echo(session)
    check_echo(session.subsession())
    assert hub.users == [PRINCIPAL]
    assert dict(os.environ) == before
    session.close()


def test_principal_is_made_of_the_machines_name(hub, options, monkeypatch):
    """Without krb_principal the format gets this machine's full name."""
    monkeypatch.setattr("socket.getfqdn", lambda: "builder1.example.com")
    log_in(options(host_principal_format=f"compile/%s@{REALM}")).close()
    assert hub.users == [PRINCIPAL]


def test_expired_session_is_renewed_by_keytab(hub, options):
    """Renewal authenticates again and keeps id and numbers."""
    session = log_in(options(krb_principal=PRINCIPAL))
    for _ in range(3):
        session.echo(1)
    hub.sessions[session.sinfo["session-id"]]["expired"] = True
    assert session.echo(2) == [2]
    assert session.echo(3) == [3]
    assert hub.users == [PRINCIPAL] * 2
    session.close()


def test_empty_credential_cache_is_removed(hub, options, tmp_path):
    """A cache of 0 bytes, left by a full disk, would make every login fail."""
    (tmp_path / "ccache").write_bytes(b"")
    log_in(options(krb_principal=PRINCIPAL)).close()
    assert hub.users == [PRINCIPAL]


def test_logins_of_many_threads_do_not_mix(hub, options, tmp_path, kdc):
    """Koji's login edits os.environ: two hosts of one process still log in each as itself."""
    principals = {f"compile/host{index}@{REALM}": kdc.keytab(f"compile/host{index}") for index in range(4)}
    failed = []

    def one(index, principal, keytab):
        try:
            log_in(options(krb_principal=principal, keytab=str(keytab), ccache=f"{tmp_path}/ccache{index}")).close()
        except HubError as error:
            failed.append(error)

    threads = [
        threading.Thread(target=one, args=(index, principal, keytab))
        for index, (principal, keytab) in enumerate(principals.items())
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert sorted(hub.users) == sorted(principals)


def test_missing_keytab_is_told(hub, options):
    """Kojid ends here in a traceback (contract 1.5); we name the file and the other ways to log in."""
    with pytest.raises(HubError, match="Kerberos authentication failed") as caught:
        log_in(options(krb_principal=PRINCIPAL, keytab="/nonexistent/keytab"))
    assert "/nonexistent/keytab is missing" in caught.value.resolution
    assert hub.users == []


def test_unknown_principal_is_told(hub, options):
    """A principal that the keytab does not hold names itself and the check to make."""
    with pytest.raises(HubError, match="Kerberos authentication failed") as caught:
        log_in(options(krb_principal=f"nobody@{REALM}"))
    assert "nobody" in caught.value.details
    assert "kinit" in caught.value.resolution
