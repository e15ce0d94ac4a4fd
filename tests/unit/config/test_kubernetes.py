"""Section `kubernetes`: what it takes, what it refuses, and what its rules choose."""

import pytest

from koji_adjutant.config.adjutant import load_adjutant_config
from koji_adjutant.config.kubernetes import KubernetesSection
from koji_adjutant.errors import ConfigurationError

TASK = {"tag": "f42-build", "arch": "x86_64", "method": "buildArch"}


def load(tmp_path, text, **variables):
    """The section as a file below `kubernetes:` gives it."""
    path = tmp_path / "adjutant.yaml"
    path.write_text(f"kubernetes: {text}\n")
    return load_adjutant_config({"ADJUTANT_CONFIG": str(path), **variables}).kubernetes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{storage: {mode: nfs}}", "kubernetes.storage: mode nfs needs server and path"),
        ("{storage: {mode: claim}}", "mode claim needs claim"),
        ("{storage: {mode: local}}", "mode local needs claim"),
        ("{storage: {claim: c}}", "mode upload has no use for claim"),
        ("{storage: {mode: hostPath, server: s}}", "mode hostPath has no use for server"),
        ("{storage: {mode: claim, claim: c, sub_path: ../x}}", "'../x' is no directory inside of a volume"),
        ("{storage: {mode: claim, claim: c, sub_path: /x}}", "'/x' is no directory inside of a volume"),
        ("{storage: {mode: ebs}}", "kubernetes.storage.mode: 'ebs'"),
        ("{namespace: Builds}", "kubernetes.namespace"),
        ("{namespaces: [{tag: a, namespace: -a}]}", "kubernetes.namespaces[0].namespace"),
        ("{tolerations: [{operator: Exists, value: a}]}", "operator Exists compares no value"),
        ("{tolerations: [{value: a}]}", "operator Equal needs a key"),
        ("{tolerations: [{key: a, seconds: 3}]}", "seconds goes with effect: NoExecute only"),
        ("{resource_classes: [{name: a}, {name: a}]}", "resource_classes names a more than once"),
        (
            "{resource_classes: [{name: a, memory: 1G, memory_request: 2G}]}",
            "memory_request (2GiB) is more than memory",
        ),
        ("{resource_classes: [{name: a, cpus: 1, cpu_request: 2}]}", "cpu_request (2.0) is more than cpus (1.0)"),
        ("{request_share: 0}", "kubernetes.request_share"),
        ("{request_share: 1.5}", "kubernetes.request_share"),
        ("{affinity: {nodeAfinity: {}}}", "has no place for nodeAfinity; known here: nodeAffinity"),
        ("{pod_template: {spec: {}, kind: Pod}}", "has no place for kind; known here: metadata, spec"),
        ("{userns: maybe}", "kubernetes.userns"),
        ("{storage_clas: a}", "did you mean storage_class?"),
    ],
)
def test_refused(tmp_path, text, said):
    """What cannot be meant is refused with key, value and remedy."""
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "storage",
    [
        {},
        {"mode": "hostPath"},
        {"mode": "hostPath", "path": "/srv/koji", "sub_path": "a/b"},
        {"mode": "nfs", "server": "nfs.example.com", "path": "/koji"},
        {"mode": "claim", "claim": "koji"},
        {"mode": "local", "claim": "koji-local"},
        {"mode": "dynamic", "size": "64GiB"},
    ],
)
def test_storage_modes(storage):
    """Each mode is taken with what it needs."""
    assert KubernetesSection(storage=storage).storage.mode == storage.get("mode", "upload")


def test_objects_in_variables(tmp_path):
    """A variable gives a part of a manifest as YAML; what is none names the variable."""
    section = load(
        tmp_path, "", ADJUTANT_KUBERNETES_POD_TEMPLATE="{spec: {hostAliases: []}}", ADJUTANT_KUBERNETES_USERNS="off"
    )
    assert section.pod_template == {"spec": {"hostAliases": []}}
    assert section.userns == "off"
    with pytest.raises(ConfigurationError, match=r"ADJUTANT_KUBERNETES_AFFINITY: kubernetes.affinity.*is no YAML"):
        load(tmp_path, "", ADJUTANT_KUBERNETES_AFFINITY="{a: [")


def test_namespace_by_rule():
    """The first rule that matches decides, then the setting, then the daemon's own."""
    section = KubernetesSection(
        namespaces=[{"tag": "f42-*", "method": "buildArch", "namespace": "f42"}, {"tag": "f4*", "namespace": "f4"}]
    )
    assert section.namespace_for("own", **TASK) == "f42"
    assert section.namespace_for("own", **TASK | {"method": "newRepo"}) == "f4"
    assert section.namespace_for("own", **TASK | {"tag": ""}) == "own"
    assert section.all_namespaces("own") == ("f4", "f42", "own")
    assert KubernetesSection(namespace="builds").namespace_for("own", **TASK) == "builds"
    assert KubernetesSection(namespace="builds").all_namespaces("own") == ("builds",)


def test_resource_class():
    """The first class that matches task and role counts."""
    section = KubernetesSection(
        resource_classes=[
            {"name": "tools", "role": "tools"},
            {"name": "heavy", "tag": "f42-*", "role": "task"},
            {"name": "any"},
        ]
    )
    chosen = {role: section.resource_class(**TASK, role=role).name for role in ("tools", "task", "work-srpm")}
    assert chosen == {"tools": "tools", "task": "heavy", "work-srpm": "any"}
    assert KubernetesSection().resource_class(**TASK, role="task") is None


def test_volume_for_each_task():
    """A storage class or mode `dynamic` gives each task a volume of its own."""
    assert KubernetesSection(storage_class="fast").task_volume
    assert KubernetesSection(storage={"mode": "dynamic"}).task_volume
    assert not KubernetesSection().task_volume
