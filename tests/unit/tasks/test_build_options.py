"""What a build was asked for: checked, resolved, told to the hub."""

import koji
import pytest

from koji_adjutant.hub.rpm_header import SRPMHeader
from koji_adjutant.tasks import build_options
from koji_adjutant.tasks.build_options import Aim

TARGET = {"name": "t", "build_tag": 2, "build_tag_name": "t-build", "dest_tag": 1, "dest_tag_name": "t"}
REPO = {"id": 9, "tag_id": 2, "tag_name": "t-build", "state": koji.REPO_STATES["READY"]}
AIM = Aim(2, 1, "t", "t", skip_tag=False)
HEADER = SRPMHeader("hello", "1", "2", None, "x86_64", is_source=True, sigmd5=None)


def test_arches_of_the_users_own_are_for_scratch_builds():
    """A build that is kept is made for the tag's arches."""
    build_options.check_arch_override({"scratch": True, "arch_override": "x86_64"})
    with pytest.raises(koji.BuildError, match=r"^arch_override is only allowed for scratch builds$"):
        build_options.check_arch_override({"arch_override": "x86_64"})


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ("words", "custom_user_metadata must be serializable to a JSON object"),
        ({"a": {1, 2}}, "custom_user_metadata is not JSON serializable"),
    ],
)
def test_metadata_that_cannot_be_kept(metadata, text):
    """Only a JSON object becomes part of a build."""
    with pytest.raises(koji.BuildError, match=f"^{text}$"):
        build_options.check_metadata({"custom_user_metadata": metadata})


def test_repo_of_the_users_choice():
    """It must exist and be intact; an expired one is."""
    assert build_options.check_repo(9, {**REPO, "state": koji.REPO_STATES["EXPIRED"]})["id"] == 9
    with pytest.raises(koji.BuildError, match=r"^No such repo: 9$"):
        build_options.check_repo(9, None)
    with pytest.raises(koji.BuildError, match=r"^Bad repo: 9 \(DELETED\)$"):
        build_options.check_repo(9, {**REPO, "state": koji.REPO_STATES["DELETED"]})


def test_target_and_repo_must_agree():
    """A repo of another tag cannot serve the target's builds."""
    assert build_options.aim_of_target(TARGET, REPO, skip_tag=False) == AIM
    with pytest.raises(koji.BuildError, match=r"^Repo/Target mismatch: other/t-build$"):
        build_options.aim_of_target(TARGET, {**REPO, "tag_id": 3, "tag_name": "other"}, skip_tag=False)


def test_without_a_target_the_repo_names_the_build_tag():
    """The name may then be a destination tag; without a name nothing is tagged."""
    assert build_options.aim_of_repo(None, REPO, None, skip_tag=False) == Aim(2, 2, "t-build", None, skip_tag=True)
    to_tag = build_options.aim_of_repo("side", REPO, {"id": 7, "name": "side"}, skip_tag=False)
    assert to_tag == Aim(2, 7, "side", None, skip_tag=False)
    with pytest.raises(koji.GenericError, match=r"^unknown build target: side$"):
        build_options.aim_of_repo("side", None, None, skip_tag=False)
    with pytest.raises(koji.GenericError, match=r"^neither tag nor target: side$"):
        build_options.aim_of_repo("side", REPO, None, skip_tag=False)


@pytest.mark.parametrize(
    ("opts", "from_scm", "expected"),
    [
        ({}, False, ["build_from_srpm", "build_rpm"]),
        ({"scratch": True}, False, ["build_rpm"]),
        ({}, True, ["build_rpm"]),
        ({"repo_id": 9}, True, ["build_from_repo_id", "build_rpm"]),
    ],
)
def test_policies_that_are_asked(opts, from_scm, expected):
    """An upload, a repo of the user's choice, and every build: each has its policy."""
    assert build_options.policies(opts, from_scm=from_scm) == expected


def test_policy_data():
    """What is not tagged has no destination, what has no target names none."""
    task = {"id": 4, "owner": 8}
    data = build_options.policy_data(task, "a.src.rpm", {}, AIM, from_scm=False)
    assert (data["user_id"], data["task_id"], data["target"], data["tag"], data["build_tag"]) == (8, 4, "t", 1, 2)
    bare = build_options.policy_data(task, "x", {}, Aim(2, 2, "t-build", None, skip_tag=True), from_scm=True)
    assert "tag" not in bare
    assert "target" not in bare
    assert bare["skip_tag"] is True


@pytest.mark.parametrize(
    ("config", "text"),
    [(None, "package hello not in list for tag t"), ({"blocked": True}, "package hello is blocked for tag t")],
)
def test_destination_takes_the_package(config, text):
    """A package that the destination does not have ends the build before it begins."""
    build_options.check_listed("hello", {"blocked": False}, AIM)
    with pytest.raises(koji.BuildError, match=f"^{text}$"):
        build_options.check_listed("hello", config, AIM)


@pytest.mark.parametrize(
    ("extra", "opts", "expected"),
    [
        ({}, {}, True),
        ({"rebuild_srpm": False}, {}, False),
        ({"rebuild_srpm": False}, {"rebuild_srpm": True}, False),
        ({"rebuild_srpm": False}, {"scratch": True, "rebuild_srpm": True}, True),
        ({}, {"scratch": True, "rebuild_srpm": False}, False),
        ({}, {"scratch": True, "rebuild_srpm": None}, True),
    ],
)
def test_rebuild_of_an_upload(extra, opts, expected):
    """The tag decides; the user of a scratch build may decide otherwise."""
    assert build_options.rebuilds_srpm({"extra": extra}, opts) is expected


def test_build_data():
    """Identity, origin and the user's metadata; nothing that was not given."""
    source = {"source": "git#abc", "url": "git#main"}
    data = build_options.build_data(4, HEADER, source, {"custom_user_metadata": {"a": 1}, "draft": True})
    assert data == {
        "name": "hello",
        "version": "1",
        "release": "2",
        "epoch": None,
        "task_id": 4,
        "source": "git#abc",
        "extra": {"source": {"original_url": "git#main"}, "custom_user_metadata": {"a": 1}},
        "draft": True,
    }
    assert set(build_options.build_data(4, HEADER, None, {})) == {"name", "version", "release", "epoch", "task_id"}
