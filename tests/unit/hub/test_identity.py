"""Who the daemon is at the hub."""

from xmlrpc.client import Fault

import koji
import pytest

from koji_adjutant.errors import HubError
from koji_adjutant.hub.identity import HostIdentity, identify, normalised
from tests.support.login_options import login_options


def identity(url, name="builder1"):
    return HostIdentity(host_id=1, host_name=name, hub_url=url, session_start_ts=0.0)


@pytest.mark.parametrize(
    "url",
    [
        "https://hub.example.com/kojihub",
        "http://hub.example.com/kojihub/",
        "https://HUB.example.com:443/kojihub",
        "https://u:p@hub.example.com/kojihub",
    ],
)
def test_spellings_of_one_hub_have_one_label(url):
    """Another way to log in, or another spelling, finds the containers of before."""
    assert normalised(url) == "hub.example.com/kojihub"
    assert identity(url).worker_label == identity("https://hub.example.com/kojihub").worker_label


def test_hubs_and_hosts_have_labels_of_their_own():
    """Two hubs may both know a builder1; their sweeps must not meet."""
    urls = ["https://a/kojihub", "https://a:8443/kojihub", "https://b/kojihub", "https://a/other"]
    assert len({identity(url).worker_label for url in urls}) == 4
    assert identity(urls[0]).worker_label != identity(urls[0], "builder2").worker_label
    assert len(identity(urls[0]).hub_hash) == 8


def test_identify_asks_the_hub(hub, session):
    """Id, name and start of the login come from the hub."""
    hub.methods["host.getHost"] = lambda: {"id": 5, "name": "builder1"}
    hub.methods["getSessionInfo"] = lambda: {"start_ts": 12.5}
    found = identify(session, login_options(hub.url))
    assert (found.host_id, found.host_name, found.session_start_ts) == (5, "builder1", 12.5)


def test_user_that_is_no_host_is_told(hub, session):
    """The hub's 'User N is not a host' comes with the command that makes it one."""
    hub.trouble = [Fault(koji.AuthError.faultCode, "User 3 is not a host")]
    with pytest.raises(HubError, match="User 3 is not a host") as caught:
        identify(session, login_options(hub.url))
    assert "koji add-host" in caught.value.resolution
