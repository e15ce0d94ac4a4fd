"""How the API server is reached and who we are there: from kubeconfig or service account to headers, TLS and proxy."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

import certifi
import kubernetes.client
import kubernetes.config
from kubernetes.stream import ws_client
from requests.utils import should_bypass_proxies

from koji_adjutant.errors import ConfigurationError, ContainerError

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def load_configuration(path: Path | None) -> Any:
    """The client's configuration: `path`, or the pod's service account, or ~/.kube/config (KUBECONFIG).

    Raises:
        ConfigurationError: there is none that can be used.
    """
    found = kubernetes.client.Configuration()
    try:
        if path is None and _in_cluster():
            kubernetes.config.load_incluster_config(client_configuration=found)
        else:
            name = None if path is None else str(path)
            kubernetes.config.load_kube_config(config_file=name, client_configuration=found)
    except (kubernetes.config.ConfigException, OSError, ValueError) as error:
        raise ConfigurationError(
            f"no cluster can be reached: {path or 'no kubeconfig'} is of no use",
            details=str(error),
            resolution="Set kubernetes.config (ADJUTANT_K8S_CONFIG) to a kubeconfig, or run the daemon in the cluster.",
        ) from error
    return found


def own_namespace(path: Path | None) -> str:
    """The namespace of this pod, else that of the kubeconfig's current context, else `default`."""
    if path is None and _in_cluster():
        return (_ACCOUNT / "namespace").read_text().strip() or "default"
    try:
        _, current = kubernetes.config.list_kube_config_contexts(None if path is None else str(path))
    except (kubernetes.config.ConfigException, OSError):
        return "default"
    return str((current.get("context") or {}).get("namespace") or "default")


def _in_cluster() -> bool:
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (_ACCOUNT / "token").exists()


def authorization(configuration: Any) -> dict[str, str]:
    """The header that says who we are; tokens are read again where they expire."""
    try:
        entries = configuration.auth_settings().values()
    except (OSError, kubernetes.config.ConfigException) as error:
        raise ContainerError("the token for the cluster cannot be read", details=str(error), reason="token") from error
    return {entry["key"]: entry["value"] for entry in entries if entry["in"] == "header" and entry["value"]}


def tls_options(configuration: Any) -> dict[str, Any]:
    """TLS for a websocket, as for requests."""
    if not configuration.verify_ssl:
        options: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
    else:
        options = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": configuration.ssl_ca_cert or certifi.where()}
        if configuration.assert_hostname is not None:
            options["check_hostname"] = configuration.assert_hostname
    pairs = {
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
    }
    return options | {name: value for name, value in pairs.items() if value}


def proxy_options(configuration: Any) -> dict[str, Any]:
    """The proxy that the client's own requests take; never one that only websocket-client would find."""
    no_proxy = configuration.no_proxy or ""
    if not configuration.proxy or should_bypass_proxies(configuration.host, no_proxy=no_proxy):
        return {"http_no_proxy": ["*"]}
    found: dict[str, Any] = ws_client.websocket_proxycare({}, configuration, None, None)
    return found
