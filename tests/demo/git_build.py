"""Second part of `make demo`: git becomes a tagged build, by the `koji` command, on an embedded hub with a daemon."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.distro.make import Distro
from tests.support.farm import TAG, Farm
from tests.support.git_server import GitServer, reachable_address

KOJI = Path(sys.executable).with_name("koji")
DESTINATION = "demo"
PACKAGE = "hello-git"
SPEC = f"""\
Name: {PACKAGE}
Version: 1.0
Release: 1
Summary: Built from git
License: MIT
Source0: hello.c
%description
Built from git.
%build
gcc -o hello-git %{{SOURCE0}}
%install
install -D hello-git %{{buildroot}}/usr/bin/hello-git
%files
/usr/bin/hello-git
"""
SOURCE = '#include <stdio.h>\nint main(void) { return puts("hello from git") < 0; }\n'


def build_from_git(distro: Distro, podman_socket: Path, tools_image: str) -> int:
    """Build, tag, and show what the hub then says; return the exit code of `koji build`."""
    address = reachable_address()
    if address is None:
        say("\nNo build from git: containers need an address of this machine besides its loopback")
        return 0
    say("\nFrom git to a tagged build: an embedded hub, the daemon, and the koji command")
    with (
        tempfile.TemporaryDirectory(prefix="adjutant-demo-") as directory,
        GitServer(made(Path(directory) / "git"), address) as git,
        Farm(made(Path(directory) / "farm"), distro.repo, podman_socket, tools_image) as farm,
    ):
        commit = git.repository(PACKAGE, {f"{PACKAGE}.spec": SPEC.encode(), "hello.c": SOURCE.encode()})
        hub = farm.hub
        hub.add_tag(DESTINATION, "x86_64")
        hub.add_target(DESTINATION, TAG, DESTINATION)
        hub.add_package(DESTINATION, PACKAGE)
        farm.write_conf(allowed_scms=f"{address}*:/*:no:")
        farm.start()
        profile = Path(directory) / "koji.conf"
        hub.write_profile(profile)
        koji = [str(KOJI), "--config", str(profile)]
        koji += ["--user", hub.admin.user, "--password", hub.admin.password, "--force-auth"]
        url = f"git+http://{git.host}/{PACKAGE}.git#{commit}"
        say(f"$ koji build --wait {DESTINATION} {url}")
        began = time.monotonic()
        code = subprocess.run([*koji, "build", "--wait", DESTINATION, url], check=False).returncode
        if code:
            sys.stderr.write(farm.log_tail())
            return code
        say(f"({time.monotonic() - began:.0f} s)\n$ koji list-tagged {DESTINATION}")
        return subprocess.run([*koji, "list-tagged", DESTINATION], check=False).returncode


def made(path: Path) -> Path:
    """Make a directory, return its path."""
    path.mkdir()
    return path


def say(text: str) -> None:
    """Write a line at once: the commands' own output goes to the same terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
