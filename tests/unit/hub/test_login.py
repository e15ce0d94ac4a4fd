"""Logging in: which way is chosen, and what is said when it fails."""

import threading
from xmlrpc.client import Fault

import koji
import pytest

from koji_adjutant.errors import ConfigurationError, DaemonStopping, HubError
from koji_adjutant.hub.login import check_echo, connect, take_exclusive
from tests.support.login_options import login_options


def log_in(options, interrupt=None):
    return connect(options, interrupt=interrupt or threading.Event())


def test_password_logs_in(hub):
    """`user` and `password` log in; options of kojid.conf reach the session."""
    session = log_in(login_options(hub.url, user="builder1", password="pw", retry_interval=7))
    assert session.logged_in
    assert session.opts["retry_interval"] == 7
    check_echo(session)
    session.close()


def test_wrong_password_is_kojids_sentence(hub):
    """The sentence operators know, with the hub's own reason as details; the password is nowhere."""
    hub.trouble = [Fault(koji.AuthError.faultCode, "invalid username or password")]
    with pytest.raises(HubError) as caught:
        log_in(login_options(hub.url, user="builder1", password="sesame"))
    assert caught.value.brief == "Error: Unable to log in. Bad credentials?"
    assert "invalid username" in caught.value.details
    assert "sesame" not in str(caught.value)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("trouble", ["drop", 503, "html"])
def test_hub_in_trouble_is_not_bad_credentials(hub, trouble):
    """A login is not retried without anon_retry (contract 1.4); it fails as a connection, and may be tried again."""
    hub.trouble = [trouble, trouble]
    with pytest.raises(HubError, match="Error: Unable to connect to server") as caught:
        log_in(login_options(hub.url, user="builder1", password="pw"))
    assert caught.value.retryable


@pytest.mark.parametrize("server", ["hub.example.com/kojihub", "ftp://hub/kojihub", "http://"])
def test_address_that_cannot_be_right_is_not_retryable(server):
    """A server that is no URL of the web fails at once, with an example."""
    with pytest.raises(HubError, match="Error: Unable to connect to server") as caught:
        log_in(login_options(server, user="builder1", password="pw"))
    assert not caught.value.retryable
    assert "https://hub.example.com/kojihub" in caught.value.resolution


def test_page_not_found_is_told_as_a_wrong_address(hub):
    """A web server without a hub is a mistake in `server`."""
    hub.trouble = [404]
    with pytest.raises(HubError, match="Error: Unable to connect to server") as caught:
        log_in(login_options(hub.url, user="builder1", password="pw"))
    assert not caught.value.retryable


def test_user_without_password_is_told(hub):
    """Kojid ends here in a traceback."""
    with pytest.raises(ConfigurationError, match="builder1 is set, but no password"):
        log_in(login_options(hub.url, user="builder1"))
    assert hub.seen == []


def test_nothing_configured_is_told(hub, monkeypatch):
    """Without certificate, user and GSSAPI there is no way to log in."""
    monkeypatch.setattr(koji, "reqgssapi", None)
    with pytest.raises(ConfigurationError, match="No username/password/certificate supplied and Kerberos missing"):
        log_in(login_options(hub.url))


def test_bad_principal_format_is_told(hub):
    """A format with anything but one %s is named."""
    with pytest.raises(ConfigurationError, match="host_principal_format 'compile/%d'"):
        log_in(login_options(hub.url, host_principal_format="compile/%d"))


def test_interrupt_ends_a_login(hub):
    """A stop during start-up is no login error."""
    interrupt = threading.Event()
    hub.trouble = ["hang"]
    threading.Thread(target=lambda: (hub.arrived.wait(60), interrupt.set())).start()
    with pytest.raises(DaemonStopping):
        log_in(login_options(hub.url, user="builder1", password="pw"), interrupt)


def test_name_taken_by_another_daemon(hub, session):
    """Without --force-lock a held lock is kojid's sentence, with what to make sure of first."""
    hub.trouble = [Fault(koji.AuthLockError.faultCode, "Cannot get exclusive session")]
    with pytest.raises(HubError) as caught:
        take_exclusive(session, force=False)
    assert caught.value.brief == "Unable to get lock. Trying using --force-lock"
    take_exclusive(session, force=True)
    assert session.covered


def test_wrong_echo_is_told(hub, session):
    """A server that answers, but not as a hub, is refused."""
    hub.methods["echo"] = lambda *_args: ["KO"]
    with pytest.raises(HubError, match=r"incorrect server response: \['KO'\]"):
        check_echo(session)
