"""Plan and pod of a task beyond the golden files: names, labels read back, strings that arrive as they are, security."""

import json
import re
from dataclasses import replace

import pytest

from koji_adjutant.container.interface import (
    LABEL_EPOCH,
    LABEL_MANAGED,
    LABEL_ROLE,
    LABEL_TASK,
    ContainerHandle,
    ContainerSpec,
    Network,
    VolumeMount,
)
from koji_adjutant.container.kubernetes_labels import LABEL_NAME, LABEL_NETWORK, PodRef
from koji_adjutant.container.kubernetes_plan import ServerFacts, plan_pod
from koji_adjutant.container.kubernetes_pod import announced, containers_of, literal, pod_manifest, pod_metadata
from koji_adjutant.container.kubernetes_security import capabilities
from koji_adjutant.errors import CapabilityMissing, ConfigurationError, ContainerError
from tests.golden.kubernetes.cases import FULL, LABELS, NEWEST, PAIR, PLAIN, READER, TOOLS, site

REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def made(spec, where=None):
    """The pod of a spec."""
    where = where or site()
    return pod_manifest(plan_pod(spec, where), where).pod


def expanded(text):
    """What Kubernetes makes of a string in `command` and `env`: `$$` is a `$`, `$(NAME)` a value."""
    return REFERENCE.sub(lambda found: "$" if found[1] is None else f"<{found[1]}>", text)


@pytest.mark.parametrize(
    "text", ["", "$", "$$", "$$$", "$(A)", "$$(A)", "a$(A)$b", "$(", "$()", "%{?dist}$(rpm -E %x)", "$A ${B}", "x$"]
)
def test_strings_arrive_as_they_are(text):
    """No reference to a variable and no doubled `$` of a command or an environment is touched by Kubernetes."""
    assert expanded(literal(text)) == text
    pod = made(replace(PLAIN, command=(text,), env={"A": text}))
    container = pod["spec"]["containers"][0]
    assert [expanded(container["command"][0]), expanded(container["env"][0]["value"])] == [text, text]


def test_names_of_containers():
    """The first is `task`, a companion is called by its role, numbered where that is taken or missing."""
    online = replace(TOOLS, name="online", labels={LABEL_ROLE: "On_line"})
    bare = replace(TOOLS, name="bare", labels={})
    taken = [replace(TOOLS, name=role, labels={LABEL_ROLE: role}) for role in ("task", "static", "tools")]
    plan = plan_pod(replace(PAIR, companions=(TOOLS, online, bare, *taken)), site())
    names = [planned.name for planned in plan.containers]
    assert names == ["task", "tools", "on-line", "companion-3", "task-4", "static-5", "tools-6"]


def test_privileged_container_is_refused():
    """No pod of this builder is, whatever the task."""
    with pytest.raises(CapabilityMissing, match="privileged"):
        plan_pod(replace(PLAIN, privileged=True), site())


def test_handles():
    """A planned container is found by the name of its spec; one that was not announced is refused."""
    plan = plan_pod(PAIR, site())
    assert PodRef.parse(plan.handle(TOOLS.name)) == PodRef("builds", plan.name, "tools")
    assert plan.handle(PAIR.name).id.endswith("/task")
    with pytest.raises(ContainerError, match="adjutant-7-online is not part of pod") as caught:
        plan.handle("adjutant-7-online")
    assert caught.value.reason == "not-announced"


@pytest.mark.parametrize(
    "spec",
    [
        replace(PAIR, companion_of=ContainerHandle("a/b/c", "x", "kubernetes")),
        replace(PAIR, companions=(replace(TOOLS, companions=(PLAIN,)),)),
        replace(PAIR, companions=(TOOLS, TOOLS)),
        replace(PAIR, companions=(replace(TOOLS, name=PAIR.name),)),
    ],
)
def test_no_plan(spec):
    """Companions of companions and two containers of one name are refused."""
    with pytest.raises(ContainerError) as caught:
        plan_pod(spec, site())
    assert caught.value.reason == "plan"


def test_same_spec_same_pod():
    """The name of a pod follows from its spec, so that the API server refuses a second one; a token overrides it."""
    assert plan_pod(PAIR, site()).name == plan_pod(PAIR, site()).name
    assert plan_pod(PAIR, site(), "abc").name == "task-7-abc"


def test_namespace_by_rule():
    """The namespace is that of the rule for the task."""
    assert plan_pod(PAIR, replace(site(), settings=FULL)).namespace == "f42"
    assert plan_pod(ContainerSpec("c", "i"), replace(site(), settings=FULL)).namespace == "builds"


def test_labels_are_read_back():
    """Each container of a pod is listed with the labels of its spec, long ones too."""
    long = {"io.koji.adjutant.note": "x " * 50}
    spec = replace(PAIR, labels={**LABELS, **long}, companions=(TOOLS,))
    pod = json.loads(json.dumps(made(spec)))
    found = {container.ref.container: container for container in containers_of(pod)}
    assert found["task"].labels == {**LABELS, **long}
    assert found["tools"].labels == {**LABELS, LABEL_ROLE: "tools"}
    assert (found["tools"].name, found["tools"].image) == (TOOLS.name, TOOLS.image)
    assert found["tools"].ref == PodRef("builds", pod["metadata"]["name"], "tools")


def test_labels_patched_later_count():
    """A label that is changed on the pod (the epoch of its owner) is that of all its containers."""
    pod = json.loads(json.dumps(made(PAIR)))
    pod["metadata"]["labels"] |= {LABEL_EPOCH: "3", LABEL_NETWORK: "none"}
    assert [container.labels[LABEL_EPOCH] for container in containers_of(pod)] == ["3", "3"]


def test_companion_that_is_asked_for_later():
    """A companion is found in its pod by name; one that was not announced, or differently, is refused."""
    pod = made(PAIR)
    later = replace(TOOLS, companion_of=plan_pod(PAIR, site()).handle(PAIR.name))
    assert announced(pod, later).ref.container == "tools"
    with pytest.raises(CapabilityMissing, match="has no container for online"):
        announced(pod, replace(later, name="online"))
    for other in (replace(later, image="other"), replace(later, labels={**TOOLS.labels, LABEL_TASK: "8"})):
        with pytest.raises(ContainerError) as caught:
            announced(pod, other)
        assert caught.value.reason == "conflict"


def test_foreign_pod():
    """A pod that is not ours has no container of ours."""
    assert containers_of({"metadata": {"name": "p", "namespace": "n"}}) == []


def test_spec_cannot_forge_our_labels():
    """A spec that names labels of ours does not get its way."""
    metadata = pod_metadata(plan_pod(replace(PLAIN, labels={LABEL_MANAGED: "no", LABEL_NAME: "x"}), site()))
    assert metadata["labels"][LABEL_MANAGED] == "true"
    assert metadata["labels"][LABEL_NAME] == PLAIN.name


def test_network_label():
    """The containers of a pod share a network: one that wants it is enough."""
    offline = replace(PAIR, companions=(replace(TOOLS, network=Network.NONE),))
    assert made(PAIR)["metadata"]["labels"][LABEL_NETWORK] == "private"
    assert made(offline)["metadata"]["labels"][LABEL_NETWORK] == "none"


def test_setuid_programs_work_in_the_build_only():
    """Privileges may grow in `task`, as under mock, and nowhere else."""
    spec = made(PAIR)["spec"]
    grows = {entry["name"]: entry["securityContext"]["allowPrivilegeEscalation"] for entry in spec["containers"]}
    assert grows == {"task": True, "tools": False}
    assert spec["initContainers"][0]["securityContext"]["allowPrivilegeEscalation"] is False


def test_capabilities_are_the_same_in_all_containers():
    """Who reads the root of another process must have all of its capabilities."""
    containers = made(replace(PAIR, companions=(replace(TOOLS, capabilities=("MKNOD",)),)))["spec"]["containers"]
    added = [entry["securityContext"]["capabilities"]["add"] for entry in containers]
    assert added[0] == added[1]
    assert {"MKNOD", "NET_ADMIN", "SETFCAP"} <= set(added[0])


@pytest.mark.parametrize(
    ("server", "settings", "userns", "has"),
    [
        (NEWEST, {}, True, True),
        (NEWEST, {"userns": "off"}, True, False),
        (NEWEST, {"userns": "required"}, True, True),
        (NEWEST, {}, False, False),
        (ServerFacts(), {}, True, False),
    ],
)
def test_user_namespace(server, settings, userns, has):
    """A pod has a user namespace where cluster, settings and spec agree, and rules its own namespaces only in one."""
    where, spec = site(server, **settings), replace(PLAIN, userns=userns)
    assert made(spec, where)["spec"].get("hostUsers") == (False if has else None)
    assert ("SYS_ADMIN" in capabilities(plan_pod(spec, where), where)) is has


@pytest.mark.parametrize(("mapped", "host_users"), [(True, False), (False, None)])
def test_user_namespace_over_topdir(mapped, host_users):
    """A pod whose volume cannot be mounted with mapped ids would not start in a user namespace, and gets none."""
    storage = {"mode": "hostPath", "mapped_ids": mapped}
    assert made(READER, site(NEWEST, storage=storage))["spec"].get("hostUsers") == host_users
    required = site(NEWEST, storage=storage, userns="required")
    if mapped:
        assert made(READER, required)["spec"]["hostUsers"] is False
    else:
        with pytest.raises(CapabilityMissing, match=r"kubernetes\.storage\.mapped_ids"):
            made(READER, required)


def test_offline_by_policy_needs_no_capability():
    """Where a NetworkPolicy takes the network away, nobody rules a namespace."""
    where = site(NEWEST, offline="policy")
    assert "SYS_ADMIN" not in capabilities(plan_pod(PAIR, where), where)


def test_user_namespace_required():
    """What must have a user namespace does not run without."""
    with pytest.raises(CapabilityMissing, match="must have a user namespace"):
        made(PLAIN, site(userns="required"))


def test_two_selinux_levels():
    """A pod has one level; two are a mistake."""
    mounts = [VolumeMount(f"/{n}", f"/var/lib/koji-adjutant/{n}", selinux_label=f"s0:c{n}") for n in (1, 2)]
    with pytest.raises(ContainerError, match="two SELinux levels: s0:c1, s0:c2"):
        made(replace(PLAIN, mounts=mounts))


def test_no_command():
    """Without a command the image's own runs."""
    assert "command" not in made(replace(PLAIN, command=()))["spec"]["containers"][0]


def test_own_pid_namespace():
    """A container that wants to be PID 1 itself is, unless companions need to see it."""
    assert "shareProcessNamespace" not in made(replace(PLAIN, init=False))["spec"]
    assert made(replace(PAIR, init=False))["spec"]["shareProcessNamespace"] is True


def test_no_static_programs():
    """Without an image of the static programs no pod is made; the setting is named."""
    with pytest.raises(ConfigurationError) as caught:
        made(PLAIN, replace(site(), runner_image=""))
    assert "kubernetes.runner_image" in caught.value.resolution


def test_template_is_checked():
    """A template that changes what it may not is refused when a pod is made."""
    with pytest.raises(ConfigurationError, match=r"metadata.labels.io.koji.adjutant.task"):
        made(PLAIN, site(pod_template={"metadata": {"labels": {LABEL_TASK: "8"}}}))
