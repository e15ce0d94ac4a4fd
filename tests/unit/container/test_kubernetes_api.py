"""Requests to an API server: who we are, where it is, and what a refusal of our credentials means."""

from __future__ import annotations

import pytest
import yaml

from koji_adjutant.container.kubernetes_api import KubernetesApi, pods_path
from koji_adjutant.container.kubernetes_connection import authorization, load_configuration, own_namespace
from koji_adjutant.container.kubernetes_refusal import ApiRefusal
from koji_adjutant.errors import ConfigurationError, RuntimeUnavailable
from tests.support.api_server import ApiServer


@pytest.fixture
def server():
    """The server."""
    with ApiServer() as found:
        yield found


@pytest.fixture
def config(server, tmp_path):
    """A kubeconfig that leads to it."""
    return server.kubeconfig(tmp_path / "config")


@pytest.fixture
def api(config):
    """Requests to it."""
    found = KubernetesApi(config, 5)
    yield found
    found.close()


def test_answer_is_the_object(server, api):
    """A request gives what the server says, with every field."""
    server.put("a", phase="Running", unknownField=1)
    assert api.request("GET", pods_path("builds", "a"))["status"] == {"phase": "Running", "unknownField": 1}


def test_refusal(api):
    """What is not there is a refusal with the server's word."""
    with pytest.raises(ApiRefusal) as caught:
        api.request("GET", pods_path("builds", "a"))
    assert (caught.value.status, caught.value.reason) == (404, "not-found")


def test_credentials_are_read_again(server, api, config):
    """A server that knows our token no more is asked once more, with what the kubeconfig says by then."""
    server.put("a")
    server.token = "secret"  # what the kubeconfig holds at first
    api.request("GET", pods_path("builds", "a"))
    server.token = "renewed"
    with pytest.raises(ApiRefusal) as caught:
        api.request("GET", pods_path("builds", "a"))
    assert caught.value.status == 401
    config.write_text(config.read_text().replace("secret", "renewed"))
    api.request("GET", pods_path("builds", "a"))
    assert server.requests["get"] == 2


def test_server_that_is_not_there(config):
    """A server that does not listen is unavailable, named by its URL."""
    found = yaml.safe_load(config.read_text())
    found["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:9"
    config.write_text(yaml.safe_dump(found))
    with pytest.raises(RuntimeUnavailable) as caught:
        KubernetesApi(config, 2).request("GET", "/version")
    assert "http://127.0.0.1:9" in caught.value.brief


@pytest.mark.parametrize("text", ["", "apiVersion: v1\nkind: Config\n"])
def test_no_use(tmp_path, text):
    """A kubeconfig that names no cluster is a configuration error with its path."""
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=str(path)):
        load_configuration(path)


def test_namespace(config, tmp_path):
    """The namespace is that of the current context, `default` where nothing says one."""
    assert own_namespace(config) == "builds"
    assert own_namespace(tmp_path / "nosuch") == "default"


def test_authorization(config):
    """The token goes into the usual header."""
    assert authorization(load_configuration(config)) == {"authorization": "Bearer secret"}
