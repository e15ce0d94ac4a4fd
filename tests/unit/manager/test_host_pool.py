"""From `hosts` to a login: the claimed name's credentials and no other's."""

import threading

import pytest

from koji_adjutant.config.hosts import HostEntry
from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.container.interface import LABEL_WORKER, ContainerSpec
from koji_adjutant.container.memory_manager import MemoryManager
from koji_adjutant.errors import ConfigurationError
from koji_adjutant.hub.identity import HostIdentity
from koji_adjutant.manager.host_pool import join_pool, lease_store, live_containers, replica_name, worker_of
from tests.support.lease_server import LeaseServer

OPTIONS = KojidOptions(
    server="https://hub.example.com/kojihub",
    topurl="https://hub.example.com/kojifiles",
    topurls=("https://hub.example.com/kojifiles",),
    user="kojid",
    password="of kojid.conf",
)
HOSTS = (
    HostEntry(name="a.example.com", cert="/etc/a.pem"),
    HostEntry(name="b.example.com", keytab="/etc/b.keytab", principal="compile/b@EXAMPLE.COM"),
)


@pytest.fixture
def join():
    """Makes members of one pool."""
    server, members = LeaseServer(), []

    def make(replica, hosts=HOSTS, runtime=None):
        store = lease_store(server, "builders", OPTIONS)
        member = join_pool(hosts, OPTIONS, store, runtime or MemoryManager(), threading.Event(), replica=replica)
        members.append(member)
        return member

    yield make
    for member in members:
        member.claim.abandon()


def test_members_log_in_by_their_own_names(join):
    """Nothing of kojid.conf's login is left."""
    first, second = join("one").options, join("two").options
    assert (first.cert, first.user, first.krb_principal) == ("/etc/a.pem", None, None)
    assert (second.cert, second.user, second.password) == (None, None, None)
    assert (second.keytab, second.krb_principal) == ("/etc/b.keytab", "compile/b@EXAMPLE.COM")
    assert first.topurl == OPTIONS.topurl


def test_only_the_session_of_a_holder_that_is_gone_is_closed(join):
    """One that let the name go has logged out: whoever holds the hub's lock then is no replica of this pool."""
    first = join("one", HOSTS[:1])
    assert not first.options.force_lock
    first.claim.abandon()
    again = join("one", HOSTS[:1])
    assert again.options.force_lock
    again.claim.release()
    assert not join("two", HOSTS[:1]).options.force_lock


def test_a_name_with_live_containers_is_claimed_first(join):
    """Somebody must finish them."""
    runtime = MemoryManager()
    runtime.add_image("image")
    worker = worker_of(OPTIONS)("b.example.com")
    runtime.create(ContainerSpec("c", "image", labels={LABEL_WORKER: worker}))
    assert live_containers(runtime, {worker: "b.example.com"}) == {"b.example.com": 1}
    assert join("one", runtime=runtime).claim.host == "b.example.com"


def test_credentials_of_another_host_are_refused(join):
    """Two replicas would serve one name."""
    member = join("one")
    member.check(HostIdentity(1, "a.example.com", OPTIONS.server, 0.0))
    with pytest.raises(ConfigurationError, match=r"a\.example\.com are those of host b\.example\.com"):
        member.check(HostIdentity(2, "b.example.com", OPTIONS.server, 0.0))


def test_a_password_is_the_first_line_of_its_file(join, tmp_path):
    """White space around it does not count."""
    path = tmp_path / "password"
    path.write_text(" secret \nrest\n")
    member = join("one", (HostEntry(name="c", user="c", password_file=str(path)),))
    assert (member.options.user, member.options.password) == ("c", "secret")


def test_a_name_without_credentials_is_let_go(join, tmp_path):
    """Its error names host and file; another replica can claim it at once."""
    host = HostEntry(name="c", user="c", password_file=str(tmp_path / "missing"))
    with pytest.raises(ConfigurationError, match="missing of host c"):
        join("one", (host,))
    (tmp_path / "missing").write_text("secret")
    assert join("two", (host,)).claim.host == "c"


def test_a_replica_is_its_pod():
    """A pod of the same name that came later is another one."""
    assert replica_name({"POD_NAME": "adjutant-1", "POD_UID": "ab-12"}) == "adjutant-1.ab-12"
    assert replica_name({})
