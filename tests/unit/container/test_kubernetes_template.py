"""`pod_template`: the merge rules, and what a template may not change."""

import copy

import pytest

from koji_adjutant.container.kubernetes_template import apply_template, merge
from koji_adjutant.errors import ConfigurationError

CONTAINER = {
    "name": "task",
    "image": "i",
    "command": ["pause"],
    "workingDir": "/",
    "env": [{"name": "A", "value": "1"}],
    "volumeMounts": [{"name": "steps", "mountPath": "/steps"}],
    "securityContext": {"capabilities": {"add": ["CHOWN"], "drop": ["ALL"]}},
}
POD = {
    "metadata": {
        "name": "task-7-x",
        "namespace": "builds",
        "labels": {"io.koji.adjutant.task": "7"},
        "annotations": {"a": "b"},
    },
    "spec": {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "containers": [CONTAINER],
        "initContainers": [{"name": "static", "image": "r", "command": ["cp"], "volumeMounts": []}],
        "volumes": [{"name": "steps", "emptyDir": {}}],
        "tolerations": [{"key": "builds", "effect": "NoSchedule"}],
        "nodeSelector": {"disk": "ssd"},
    },
}


def spec(template):
    """The pod's spec with this part merged onto it."""
    return apply_template(POD, {"spec": template})["spec"]


def refusal(template):
    """What is said of a template that is refused."""
    with pytest.raises(ConfigurationError) as caught:
        apply_template(POD, template)
    return caught.value.brief


def test_nothing():
    """An empty template changes nothing."""
    assert apply_template(POD, {}) == POD


def test_inputs_stay():
    """Neither the pod nor the template is changed."""
    before, template = (
        copy.deepcopy(POD),
        {"spec": {"containers": [{"name": "task", "env": [{"name": "B", "value": "2"}]}]}},
    )
    kept = copy.deepcopy(template)
    apply_template(POD, template)
    assert (POD, template) == (before, kept)


def test_mappings_are_merged():
    """Keys are added and replaced one by one; null removes one."""
    assert spec({"nodeSelector": {"zone": "a"}})["nodeSelector"] == {"disk": "ssd", "zone": "a"}
    assert spec({"nodeSelector": {"zone": "a", "disk": None}})["nodeSelector"] == {"zone": "a"}
    assert "nodeSelector" not in spec({"nodeSelector": None})


def test_plain_lists_are_replaced():
    """A list without a merge key is taken as a whole."""
    changed = spec({"containers": [{"name": "task", "securityContext": {"capabilities": {"add": ["MKNOD"]}}}]})
    assert changed["containers"][0]["securityContext"]["capabilities"] == {"add": ["MKNOD"], "drop": ["ALL"]}


def test_keyed_lists_are_merged():
    """Entries of the same key are merged, new ones are added at the end."""
    env = [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]
    changed = spec({"containers": [{"name": "task", "env": env}, {"name": "audit", "image": "a"}]})
    assert changed["containers"] == [{**CONTAINER, "env": env}, {"name": "audit", "image": "a"}]
    volumes = [{"name": "ca", "configMap": {"name": "ca"}}]
    assert spec({"volumes": volumes})["volumes"] == [*POD["spec"]["volumes"], *volumes]


def test_tolerations_are_added():
    """A toleration adds to those of the settings; one of the same key and effect is changed."""
    spot, builds = {"key": "spot", "operator": "Exists"}, {"key": "builds", "effect": "NoSchedule", "value": "yes"}
    assert spec({"tolerations": [spot, builds]})["tolerations"] == [builds, spot]


def test_patch_delete():
    """`$patch: delete` removes an entry, or a mapping."""
    env = [{"name": "A", "$patch": "delete"}]
    assert spec({"containers": [{"name": "task", "env": env}]})["containers"][0]["env"] == []
    assert "nodeSelector" not in spec({"nodeSelector": {"$patch": "delete"}})
    assert spec({"tolerations": [{"key": "other", "$patch": "delete"}]})["tolerations"] == POD["spec"]["tolerations"]


def test_patch_replace():
    """`$patch: replace` takes the place of a mapping, or of a whole list."""
    assert spec({"nodeSelector": {"$patch": "replace", "zone": "a"}})["nodeSelector"] == {"zone": "a"}
    only = {"key": "spot", "operator": "Exists"}
    assert spec({"tolerations": [{"$patch": "replace"}, only]})["tolerations"] == [only]
    entry = {"name": "steps", "$patch": "replace", "hostPath": {"path": "/x"}}
    assert spec({"volumes": [entry]})["volumes"] == [{"name": "steps", "hostPath": {"path": "/x"}}]


def test_retain_keys():
    """`$retainKeys` drops what it does not name: one kind of volume for another."""
    entry = {"name": "steps", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}
    assert spec({"volumes": [entry]})["volumes"] == [{"name": "steps", "hostPath": {"path": "/x"}}]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ({"spec": {"volumes": [{"emptyDir": {}}]}}, "spec.volumes: an entry has no name"),
        ({"spec": {"volumes": ["x"]}}, "spec.volumes: 'x' is no mapping"),
        ({"spec": {"volumes": [{"$patch": "delete"}]}}, "$patch: delete without name"),
        ({"spec": {"$patch": "remove"}}, "spec: $patch: remove is not understood"),
        ({"spec": {"$setElementOrder/containers": []}}, "$setElementOrder/containers is not understood"),
        (
            {"spec": {"containers": [{"name": "task", "env": [{"name": "A", "$x": 1}]}]}},
            "spec.containers[task].env[A]: $x is not understood",
        ),
    ],
)
def test_no_template(template, said):
    """What is no strategic merge is refused with its place."""
    assert said in refusal(template)


@pytest.mark.parametrize(
    ("template", "place"),
    [
        ({"metadata": {"name": "other"}}, "metadata.name"),
        ({"metadata": {"namespace": "other"}}, "metadata.namespace"),
        ({"metadata": {"labels": {"io.koji.adjutant.task": "8"}}}, "metadata.labels.io.koji.adjutant.task"),
        ({"metadata": {"labels": {"io.koji.adjutant.new": "8"}}}, "metadata.labels.io.koji.adjutant.new"),
        ({"metadata": {"labels": None}}, "metadata.labels.io.koji.adjutant.task"),
        ({"metadata": {"annotations": {"io.koji.adjutant.containers": "{}"}}}, "metadata.annotations.io.koji"),
        ({"spec": {"restartPolicy": "Always"}}, "spec.restartPolicy"),
        ({"spec": {"automountServiceAccountToken": True}}, "spec.automountServiceAccountToken"),
        ({"spec": {"automountServiceAccountToken": None}}, "spec.automountServiceAccountToken"),
        ({"spec": {"hostNetwork": True}}, "spec.hostNetwork"),
        ({"spec": {"hostPID": True}}, "spec.hostPID"),
        ({"spec": {"shareProcessNamespace": True}}, "spec.shareProcessNamespace"),
        ({"spec": {"containers": [{"name": "task", "$patch": "delete"}]}}, "spec.containers[task]"),
        ({"spec": {"containers": [{"name": "task", "image": "x"}]}}, "spec.containers[task].image"),
        ({"spec": {"containers": [{"name": "task", "args": ["x"]}]}}, "spec.containers[task].args"),
        ({"spec": {"initContainers": None}}, "spec.initContainers[static]"),
        (
            {"spec": {"containers": [{"name": "task", "volumeMounts": [{"mountPath": "/steps", "$patch": "delete"}]}]}},
            "spec.containers[task].volumeMounts[/steps]",
        ),
        (
            {"spec": {"containers": [{"name": "task", "volumeMounts": [{"mountPath": "/steps", "name": "x"}]}]}},
            "spec.containers[task].volumeMounts[/steps]",
        ),
        ({"$patch": "delete"}, "spec.restartPolicy"),
    ],
)
def test_protected(template, place):
    """What the daemon relies on and what keeps a build in its place cannot be changed; the place is named."""
    assert place in refusal(template)


def test_all_places_are_named():
    """Everything that is refused is said at once."""
    said = refusal({"metadata": {"name": "x"}, "spec": {"restartPolicy": "Always", "hostIPC": True}})
    assert all(place in said for place in ("metadata.name", "spec.restartPolicy", "spec.hostIPC"))


def test_labels_of_others_are_free():
    """Labels and annotations that are not ours can be set."""
    metadata = merge(POD["metadata"], {"labels": {"team": "x"}})
    assert apply_template(POD, {"metadata": {"labels": {"team": "x"}}})["metadata"] == metadata
