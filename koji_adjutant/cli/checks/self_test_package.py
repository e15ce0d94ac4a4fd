"""The package that the self-test installs: a bit of everything that goes wrong in a user namespace or a storage driver."""

from __future__ import annotations

from dataclasses import dataclass

NAME = "adjutant-check"
DIRECTORY = "/var/lib/adjutant-check"
"""In `tools`: sources, package and repository. In the root: what the package owns."""
REPO = f"{DIRECTORY}/repo"
OWNER_NAME, OWNER_UID, OWNER_GID = "checker", 77, 88

_SPEC = f"""\
%global debug_package %{{nil}}
%global __os_install_post %{{nil}}
%global _build_id_links none
Name: {NAME}
Version: 1
Release: 1
Summary: Self-test of koji-adjutant
License: LGPL-2.1-or-later
AutoReqProv: no
%description
Installed into a throw-away root, and removed with it.
%install
mkdir -p %{{buildroot}}{DIRECTORY}
for name in setuid capable owned; do echo $name > %{{buildroot}}{DIRECTORY}/$name; done
%post -p <lua>
local file = io.open("{DIRECTORY}/scriptlet", "w")
file:write("ran\\n")
file:close()
%files
%dir {DIRECTORY}
%attr(4755, root, root) {DIRECTORY}/setuid
%caps(cap_net_raw=ep) %attr(0755, root, root) {DIRECTORY}/capable
%attr(0640, {OWNER_NAME}, {OWNER_NAME}) {DIRECTORY}/owned
"""


def build_script() -> bytes:
    """Return a script for `sh -s` in `tools` that makes the package and its repository."""
    return f"""\
set -eu
mkdir -p {REPO}
cat > {DIRECTORY}/{NAME}.spec <<'END_OF_SPEC'
{_SPEC}END_OF_SPEC
rpmbuild -bb --quiet --define '_topdir {DIRECTORY}/top' --define '_rpmdir {REPO}' {DIRECTORY}/{NAME}.spec >&2
createrepo_c --quiet {REPO} >&2 || createrepo --quiet {REPO} >&2
""".encode()


def users_script(busybox: str) -> bytes:
    """Return a script for busybox in `task` that gives the empty root the file's owner."""
    return f"""\
set -eu
{busybox} mkdir -p /etc
printf 'root:x:0:0::/:/\\n{OWNER_NAME}:x:{OWNER_UID}:{OWNER_GID}::/:/\\n' > /etc/passwd
printf 'root:x:0:\\n{OWNER_NAME}:x:{OWNER_GID}:\\n' > /etc/group
""".encode()


def look_script(busybox: str) -> bytes:
    """Return a script for busybox in `task` that prints what `Looks` reads."""
    return f"""\
cd {DIRECTORY} && {busybox} stat -c '%n %a %u %g' setuid capable owned
{busybox} cat scriptlet
""".encode()


@dataclass(frozen=True)
class Wrong:
    """Something that is not as the package has it."""

    what: str
    remedy: str


def judge(looks: str, capabilities: str, verification: str) -> list[Wrong]:
    """Compare the root with the package: `look_script`'s output, `rpm -q --filecaps`, `rpm -Va` (empty is good)."""
    lines = looks.split("\n")
    storage = (
        "Put Podman's storage on a local file system (ext4, xfs) with the overlay driver; NFS and some FUSE mounts change "
        "owners and modes. See also podman.userns."
    )
    wrong = []
    for name, mode, uid, gid in (
        ("setuid", "4755", 0, 0),
        ("capable", "755", 0, 0),
        ("owned", "640", OWNER_UID, OWNER_GID),
    ):
        expected = f"{name} {mode} {uid} {gid}"
        if expected not in lines:
            found = next((line for line in lines if line.startswith(f"{name} ")), "nothing")
            wrong.append(Wrong(f"file, mode, owner, group should be `{expected}`; found `{found}`", storage))
    if "ran" not in lines:
        wrong.append(
            Wrong("the package's scriptlet has not run", "Look at the tools image's rpm: was it built without Lua?")
        )
    if "cap_net_raw" not in capabilities:
        wrong.append(
            Wrong(
                "rpm of the tools image knows nothing of file capabilities",
                "Name a tools image whose rpm is built with libcap.",
            )
        )
    if verification.strip():
        wrong.append(Wrong(f"`rpm -Va` of the installed package says: {verification.strip()}", storage))
    return wrong
