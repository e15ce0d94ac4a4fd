"""One list and one watch feed whoever waits for a pod, however they end. Against an HTTP server that lies."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from koji_adjutant.container.kubernetes_api import KubernetesApi
from koji_adjutant.container.kubernetes_refusal import ApiRefusal
from koji_adjutant.container.kubernetes_watch import SILENCE, PodWatch
from koji_adjutant.errors import RuntimeUnavailable
from tests.support.api_server import ApiServer


class Clock:
    """A clock that only moves when told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def server():
    """The server."""
    with ApiServer() as found:
        yield found


@pytest.fixture
def clock():
    """The time of the watch."""
    return Clock()


@pytest.fixture
def watch(server, clock, tmp_path):
    """A watch of its pods."""
    api = KubernetesApi(server.kubeconfig(tmp_path / "config"), 5)
    found = PodWatch(api, "builds", "io.koji.adjutant.managed=true", clock)
    yield found
    found.close()
    api.close()


def phase(pod):
    """What a test waits for."""
    return None if pod is None else pod["status"].get("phase")


def test_pods_that_were_there(server, watch):
    """What is there before the first question is found by one list; one that is not there is not asked for."""
    server.put("a", phase="Running")
    assert phase(watch.get("a")) == "Running"
    assert watch.get("b") is None
    assert (server.requests["list"], server.requests["get"]) == (1, 0)


def test_news_wake_all_who_wait(server, watch):
    """Many wait for one pod: one watch wakes them all."""
    server.put("a")
    watch.get("a")
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(watch.wait, "a", phase, 1e6) for _ in range(8)]
        server.put("a", phase="Running")
        assert [each.result(20) for each in waiting] == ["Running"] * 8
    assert (server.requests["list"], server.requests["get"]) == (1, 0)


def test_wait_ends_with_its_time(server, watch, clock):
    """A wait whose time is over gives nothing, and none when its judge said something before."""
    server.put("a")
    assert watch.wait("a", phase, 0) is None

    def judge(pod):
        clock.now += 10
        return phase(pod)

    assert watch.wait("a", judge, 15) is None


def test_cut_watch_goes_on(server, watch):
    """A watch that is cut is asked for again; nothing is missed, for what went unheard is listed or told."""
    server.put("a")
    watch.get("a")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(watch.wait, "a", phase, 1e6)
        server.cut()
        while server.requests["watch"] < 2:
            threading.Event().wait(0.01)
        server.put("a", phase="Running")
        assert waiting.result(20) == "Running"


def test_forgotten_version_lists_again(server, watch):
    """410 Gone: everything is listed anew, and what happened meanwhile is known."""
    server.put("a")
    server.put("b")
    watch.get("a")
    while server.requests["watch"] < 1:
        threading.Event().wait(0.01)
    server.put("a", silently=True, phase="Running")
    server.take("b", silently=True)
    server.expire()
    assert watch.wait("a", phase, 1e6) == "Running"
    assert watch.get("b") is None
    assert server.requests["list"] == 2


def test_silent_watch_is_not_believed(server, watch, clock):
    """A watch that has said nothing for too long: the server is asked for the pod itself."""
    server.put("a")
    watch.get("a")
    server.put("a", silently=True, phase="Running")
    assert phase(watch.get("a")) is None
    clock.now += SILENCE + 1
    assert phase(watch.get("a")) == "Running"
    assert server.requests["get"] == 1


def test_server_that_is_away(server, watch, clock):
    """While the server does not answer, who asks hears that; afterwards all is known again."""
    server.refuse = dict.fromkeys(("list", "watch", "get"), (503, "not now"))
    with pytest.raises(RuntimeUnavailable):
        watch.get("a")
    server.put("a", phase="Running")
    server.refuse = {}
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(_patiently, watch).result(20) == "Running"


def _patiently(watch):
    while True:
        try:
            return watch.wait("a", phase, 1e6)
        except RuntimeUnavailable:
            continue


def test_forbidden_is_said(server, watch):
    """A list that the daemon may not have is an error with the server's words, not an empty list."""
    server.refuse = dict.fromkeys(("list", "get"), (403, "may not list pods"))
    with pytest.raises(ApiRefusal) as caught:
        watch.get("a")
    assert (caught.value.reason, caught.value.message) == ("forbidden", "may not list pods")


def test_answers_count_at_once(server, watch):
    """What an answer to a request said is known before the watch says it, and a removal too."""
    watch.get("a")
    pod = server.put("a", silently=True, phase="Running")
    watch.note(pod)
    assert phase(watch.get("a")) == "Running"
    watch.bury("a", "uid-a")
    assert watch.get("a") is None
    assert server.requests["get"] == 0


def test_close_ends_the_thread(server, watch):
    """Closing does not wait for the server."""
    watch.get("a")
    watch.close()
    assert not any(thread.name == "pods-builds" for thread in threading.enumerate())
