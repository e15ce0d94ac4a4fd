"""From a container spec to the pod: golden files. `ADJUTANT_GOLDEN=write` writes them anew."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
from kubernetes import client

from koji_adjutant.container.kubernetes_plan import plan_pod
from koji_adjutant.container.kubernetes_pod import pod_manifest
from tests.golden.kubernetes.cases import CASES

HERE = Path(__file__).parent
each_case = pytest.mark.parametrize("name", CASES)


def manifest(name):
    """The manifest of a case."""
    spec, site = CASES[name]
    return pod_manifest(plan_pod(spec, site), site)


def nothing_empty(value):
    """The same without what the API takes for nothing said."""
    if isinstance(value, dict):
        pairs = {key: nothing_empty(entry) for key, entry in value.items()}
        return {key: entry for key, entry in pairs.items() if entry not in (None, [], "")}
    return [nothing_empty(entry) for entry in value] if isinstance(value, list) else value


def read_again(kind, wanted):
    """What is left of an object that the client has read as its own model and written again."""
    with client.ApiClient() as api:
        if hasattr(model := getattr(client, kind), "from_dict"):
            return api.sanitize_for_serialization(model.from_dict(wanted))
        # Before version 37 the models cannot read, only the client can.
        return api.sanitize_for_serialization(api.deserialize(SimpleNamespace(data=json.dumps(wanted)), kind))


@each_case
def test_manifest(name):
    """Pod, claims and what is filled are what the golden file says."""
    made = asdict(manifest(name))
    path = HERE / f"{name}.json"
    if os.environ.get("ADJUTANT_GOLDEN") == "write":
        path.write_text(json.dumps(made, indent=2, sort_keys=True) + "\n")
    assert json.loads(json.dumps(made)) == json.loads(path.read_text())


def test_golden_files_are_all_used():
    """There is no golden file without a case."""
    assert {path.stem for path in HERE.glob("*.json")} == set(CASES)


@each_case
def test_the_api_knows_every_field(name):
    """Read as the client's own model and written again, a pod loses nothing: every key is one of the API's."""
    made = manifest(name)
    for kind, wanted in [("V1Pod", made.pod), *(("V1PersistentVolumeClaim", claim) for claim in made.claims)]:
        assert nothing_empty(read_again(kind, wanted)) == nothing_empty(json.loads(json.dumps(wanted)))


def test_a_field_the_api_does_not_know_is_seen():
    """The check above finds a misspelt field, however deep."""
    pod = json.loads(json.dumps(manifest("plain").pod))
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalations"] = False
    assert nothing_empty(read_again("V1Pod", pod)) != nothing_empty(pod)


@each_case
def test_what_holds_for_every_pod(name):
    """No pod restarts, has a token, the host's namespaces, a privilege, or an image that is pulled by its tag's look."""
    pod = manifest(name).pod
    spec = pod["spec"]
    assert spec["restartPolicy"] == "Never"
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert pod["metadata"]["annotations"]["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
    ours = [entry for entry in [*spec["containers"], *spec.get("initContainers", [])] if entry["name"] != "audit"]
    for container in ours:
        assert container["imagePullPolicy"] in {"IfNotPresent", "Always", "Never"}
        assert container["securityContext"]["privileged"] is False
        assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]


@each_case
def test_mounts_and_volumes_belong_together(name):
    """Each mount has its volume, each volume a mount, no path is mounted twice, and topdir is never writable."""
    spec = manifest(name).pod["spec"]
    names = [volume["name"] for volume in spec["volumes"]]
    assert len(set(names)) == len(names)
    used = set()
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        targets = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert len(set(targets)) == len(targets)
        used |= {mount["name"] for mount in container["volumeMounts"]}
        assert all(mount["readOnly"] for mount in container["volumeMounts"] if mount["name"] == "topdir")
    assert used | {"ca"} == {*names, "ca"}
