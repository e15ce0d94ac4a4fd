"""Names and labels of pods: what fits stands there, what does not is found by its digest."""

import re

import pytest

from koji_adjutant.container.interface import LABEL_TASK, ContainerHandle
from koji_adjutant.container.kubernetes_labels import (
    PodRef,
    decode_labels,
    dns_label,
    encode_labels,
    label_value,
    name_token,
    pod_name,
    selector,
)
from koji_adjutant.errors import ContainerError, ContainerNotFound

KUBERNETES_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
KUBERNETES_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
VALUES = [
    "",
    "7",
    "1764060000.25",
    "1e-05",
    "builder1-0a1b2c3d",
    "a" * 63,
    "a" * 64,
    "-a",
    "a-",
    ".",
    "a b",
    "ü",
    "a/b",
    "sha256.abc",
    "f42-build\n",
]


@pytest.mark.parametrize("value", VALUES)
def test_value_fits(value):
    """Every value gives one that Kubernetes takes."""
    assert len(label_value(value)) <= 63
    assert KUBERNETES_VALUE.fullmatch(label_value(value))


def test_values_stay_apart():
    """No two values give the same, not even one that looks like another one's digest."""
    values = [*VALUES, label_value("a" * 64)]
    assert len({label_value(value) for value in values}) == len(values)


@pytest.mark.parametrize("value", VALUES)
def test_read_back(value):
    """What was encoded is read back, whether it fits or not."""
    encoded = encode_labels({"a": value, "b": "1"})
    assert decode_labels(encoded.labels, encoded.annotations) == {"a": value, "b": "1"}


def test_only_what_does_not_fit_is_annotated():
    """A value that fits stands in the label alone."""
    encoded = encode_labels({"short": "7", "long": "x" * 80})
    assert encoded.annotations == {"long": "x" * 80}
    assert encoded.labels["short"] == "7"


def test_foreign_annotations_are_no_labels():
    """An annotation without a label that refers to it is none of ours."""
    assert decode_labels({"a": "1"}, {"a": "2", "b": "3"}) == {"a": "1"}


def test_selector_selects_what_was_encoded():
    """A selector names labels as they are written, in a fixed order."""
    labels = {"b": "x y", "a": "1"}
    encoded = encode_labels(labels).labels
    assert selector(labels) == f"a=1,b={encoded['b']}"


@pytest.mark.parametrize("key", ["", "a b", "-a", "a" * 64, "A/b", "ü"])
def test_bad_key(key):
    """A key that no label can have is refused by name."""
    with pytest.raises(ContainerError, match="cannot be the key"):
        encode_labels({key: "1"})


@pytest.mark.parametrize("name", ["adjutant-7", "X_y.z", "ü", "-", "a" * 300, "a" + "-" * 80 + "b"])
@pytest.mark.parametrize("labels", [{}, {LABEL_TASK: "7"}, {LABEL_TASK: "9" * 90}])
def test_pod_name(name, labels):
    """Every spec gives a name that Kubernetes takes, and that ends with the token."""
    made = pod_name(name, labels, name_token(name))
    assert len(made) <= 63
    assert KUBERNETES_NAME.fullmatch(made)
    assert made.endswith("-" + name_token(name))


def test_pod_name_of_a_task():
    """The pod of a task is named after it."""
    assert pod_name("anything", {LABEL_TASK: "123"}, "abc") == "task-123-abc"


def test_token_is_the_same_again():
    """The same spec name gives the same token, another one another."""
    assert name_token("a") == name_token("a") != name_token("b")


def test_dns_label_has_no_loose_ends():
    """A name cut at its limit does not end with a hyphen."""
    assert dns_label("ab-cd", 3) == "ab"


def test_reference():
    """A handle says namespace, pod and container, and is read back."""
    ref = PodRef("builds", "task-7-x", "tools")
    handle = ref.handle("adjutant-7-tools")
    assert handle == ContainerHandle("builds/task-7-x/tools", "adjutant-7-tools", "kubernetes")
    assert PodRef.parse(handle) == ref


@pytest.mark.parametrize(
    "handle", [("a/b", "kubernetes"), ("a//c", "kubernetes"), ("a/b/c", "podman"), ("", "kubernetes")]
)
def test_no_reference(handle):
    """What names no container of a pod is not found."""
    with pytest.raises(ContainerNotFound):
        PodRef.parse(ContainerHandle(handle[0], "n", handle[1]))
