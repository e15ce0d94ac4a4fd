"""Checks of the hub, against a small one."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xmlrpc.client import Fault

import koji
import pytest

from koji_adjutant.cli.checks.check import Severity
from koji_adjutant.cli.checks.hub import check_login, check_topurls
from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.errors import HubError
from tests.support.xmlrpc_hub import TinyHub


@pytest.fixture
def hub():
    """Run a hub that knows host builder1."""
    tiny = TinyHub()
    tiny.methods["getLoggedInUser"] = lambda: {"name": "builder1", "usertype": 1}
    tiny.methods["getHost"] = lambda _name: {"name": "builder1", "enabled": True}
    yield tiny
    tiny.stop()


@pytest.fixture
def options(hub):
    """Return options that log in there."""
    return KojidOptions(server=hub.url, topurl=hub.url, topurls=(hub.url,), user="builder1", password="pw")


def test_login(hub, options):
    """A host that logs in is fine; the session is given back and no lock was taken."""
    assert check_login(options) == []
    methods = [method for method, _ in hub.acted]
    assert "exclusiveSession" not in methods
    assert methods[-1] == "logout"


def test_user_is_no_host(hub, options):
    """A user that is no host is a problem that says how to register it."""
    hub.methods["getLoggedInUser"] = lambda: {"name": "alice", "usertype": 0}
    finding = check_login(options)[0]
    assert finding.text == "the hub's user alice is not a host"
    assert "koji add-host alice" in finding.remedy


def test_disabled_host(hub, options):
    """A disabled host is a note: the daemon runs, and gets nothing to do."""
    hub.methods["getHost"] = lambda _name: {"name": "builder1", "enabled": False}
    assert [finding.severity for finding in check_login(options)] == [Severity.NOTE]


def test_daemon_runs(hub, options):
    """A lock that another daemon holds is a note: usually it is the one of this machine."""
    hub.methods["getLoggedInUser"] = _locked
    assert [finding.severity for finding in check_login(options)] == [Severity.NOTE]


def _locked():
    raise Fault(koji.AuthLockError.faultCode, "User locked by another session")


def test_hub_down(options, hub):
    """A hub that is away is the login's own error, soon."""
    hub.trouble = ["drop"] * 20
    with pytest.raises(HubError):
        check_login(options)


class _Files(BaseHTTPRequestHandler):
    def log_message(self, *_args):
        """Stay silent."""

    def do_GET(self):
        self.send_response(int(self.path.strip("/")))
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def files():
    """Run a server that answers GET /NUMBER with that status; give its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Files) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_topurls(files):
    """Any answer is an answer, also a refused listing; only a server that fails is a problem, each URL for itself."""
    assert check_topurls([f"{files}/200", f"{files}/403"]) == []
    findings = check_topurls([f"{files}/502", f"{files}/200"])
    assert [finding.text for finding in findings] == [f"{files}/502 answers 502 Bad Gateway"]


def test_topurl_away():
    """A server that is away is a problem; credentials are not shown."""
    finding = check_topurls(["http://u:hunter2@127.0.0.1:1/x"])[0]
    assert "cannot be reached" in finding.text
    assert "hunter2" not in finding.text
