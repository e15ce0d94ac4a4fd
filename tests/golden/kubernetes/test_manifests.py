"""The shipped manifests: what they grant is what the code uses, and what they name is there."""

from pathlib import Path

import pytest
import yaml

from koji_adjutant.config.adjutant import AdjutantConfig
from koji_adjutant.config.kojid_cli import load_kojid_options
from koji_adjutant.config.monitoring import parse_address
from koji_adjutant.container import kubernetes_verbs as verbs
from koji_adjutant.container.interface import LABEL_MANAGED, Network
from koji_adjutant.container.kubernetes_labels import LABEL_NETWORK
from tests.golden.kubernetes.test_pod import nothing_empty, read_again

MANIFESTS = Path(__file__).parents[3] / "packaging/kubernetes"
BASE = MANIFESTS / "base"
ROLES = {
    "koji-adjutant-tasks": verbs.TASKS,
    "koji-adjutant-replicas": verbs.REPLICAS,
    "koji-adjutant-volumes": verbs.VOLUMES,
    "koji-adjutant-nodes": verbs.CLUSTER,
}


def objects():
    """All objects of all files."""
    return [
        found
        for path in sorted(MANIFESTS.rglob("*.yaml"))
        if path.name != "kustomization.yaml"
        for found in yaml.safe_load_all(path.read_text())
    ]


def of(kind):
    """The objects of a kind by name."""
    return {found["metadata"]["name"]: found for found in objects() if found["kind"] == kind}


@pytest.fixture
def pod():
    """The daemon's pod."""
    return of("Deployment")["koji-adjutant"]["spec"]["template"]["spec"]


@pytest.fixture
def config():
    """The example's adjutant.yaml, as the daemon reads it."""
    return AdjutantConfig.model_validate(yaml.safe_load(of("ConfigMap")["koji-adjutant"]["data"]["adjutant.yaml"]))


def test_base_holds_every_file_beside_it():
    """`kubectl apply -k` misses nothing."""
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(path.name for path in BASE.glob("*.yaml") if path.name != "kustomization.yaml")


@pytest.mark.parametrize("found", objects(), ids=lambda found: f"{found['kind']}-{found['metadata']['name']}")
def test_fields_are_those_of_the_api(found):
    """The client's model of the kind knows every field: none is misspelt."""
    assert nothing_empty(read_again(f"V1{found['kind']}", found)) == nothing_empty(found)


def test_roles_grant_what_is_used_and_no_more():
    """Each Role is the list of the code, verb for verb, and is bound to the daemon's account."""
    roles = of("Role") | of("ClusterRole")
    assert {name: role["rules"] for name, role in roles.items()} == {
        name: verbs.rules(permissions) for name, permissions in ROLES.items()
    }
    bindings = of("RoleBinding") | of("ClusterRoleBinding")
    assert {name: binding["roleRef"]["name"] for name, binding in bindings.items()} == {name: name for name in ROLES}
    account = {"kind": "ServiceAccount", "name": "koji-adjutant", "namespace": "koji-adjutant"}
    assert all(binding["subjects"] == [account] for binding in bindings.values())


def test_accounts_of_the_pods_exist(pod, config):
    """The daemon's, and that of tasks, which mounts no token."""
    accounts = of("ServiceAccount")
    assert pod["serviceAccountName"] in accounts
    assert accounts[config.kubernetes.service_account]["automountServiceAccountToken"] is False


def test_policies_select_by_labels_of_pods():
    """There is one policy for each network that a task's pod can have; offline means that nothing goes out."""
    selected = {}
    for policy in of("NetworkPolicy").values():
        labels = policy["spec"]["podSelector"]["matchLabels"]
        if labels.get(LABEL_MANAGED) == "true":
            selected[labels[LABEL_NETWORK]] = policy["spec"]
    assert set(selected) == {str(network) for network in Network}
    assert all(set(spec["policyTypes"]) == {"Ingress", "Egress"} for spec in selected.values())
    assert not any("ingress" in spec for spec in selected.values())
    assert "egress" not in selected[str(Network.NONE)]


def test_replicas_have_names_and_credentials(config):
    """The example has a host name for each replica, and a key of the Secret for each file that it names."""
    assert of("Deployment")["koji-adjutant"]["spec"]["replicas"] == len(config.hosts)
    files = {str(host.cert) for host in config.hosts} | {str(config.monitoring.token_file)}
    secret = of("Secret")["koji-adjutant-hosts"]["stringData"]
    assert files <= {f"/etc/koji-adjutant/hosts/{key}" for key in secret}


def test_what_the_daemon_writes_is_mounted(pod, config):
    """Its root is read-only: state and temporary files have volumes, and the programs are those of the image."""
    places = {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"] if not mount.get("readOnly")}
    assert places == {str(config.state_dir), "/tmp"}
    assert config.static_dir == config.kubernetes.runner_directory
    claims = {
        volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume
    }
    assert claims == set(of("PersistentVolumeClaim"))


def test_monitoring_answers_at_the_port_of_the_pod(pod, config):
    """Probe, policy and configuration name one port."""
    _, port = parse_address(config.monitoring.listen)
    assert pod["containers"][0]["ports"] == [{"name": "http", "containerPort": port}]
    ingress = of("NetworkPolicy")["koji-adjutant"]["spec"]["ingress"]
    assert ingress[0]["ports"] == [{"protocol": "TCP", "port": port}]


def test_kojid_conf_of_the_example_is_read(tmp_path):
    """All its options are kojid's."""
    path = tmp_path / "kojid.conf"
    path.write_text(of("ConfigMap")["koji-adjutant"]["data"]["kojid.conf"])
    options = load_kojid_options(["--config", str(path), "--fg", "--verbose"])
    assert options.workdir.startswith("/tmp")
    assert options.topurls


def test_budget_and_deployment_select_the_same_pods():
    """The budget counts the replicas."""
    selector = of("PodDisruptionBudget")["koji-adjutant"]["spec"]["selector"]
    assert selector == of("Deployment")["koji-adjutant"]["spec"]["selector"]
