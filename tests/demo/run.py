"""`make demo`: a source package becomes RPMs on this machine, with nothing but Podman and what the tests make themselves.

Makes the test distribution and its images (once), and runs `koji-adjutant build` on `hello-c`, as anybody would with a
repository of their own. A second run finds the root of the first one as a prepared image. Then a git repository becomes
a tagged build on an embedded hub (`git_build`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.demo.git_build import build_from_git, say
from tests.distro.debian import DistroError
from tests.distro.images import the_images
from tests.distro.make import the_distro
from tests.distro.sample_packages import the_samples
from tests.support.podman_host import HostError, PodmanService, prepare_host

SAMPLE = "hello-c"
HEADER_LINES = 12


def main() -> int:
    """Run it; the exit code is that of `koji-adjutant build`, or 1 when this machine lacks something."""
    if os.geteuid() != 0:
        sys.stderr.write(
            "make demo: only root may make the root file system of its tools image: run `sudo make demo`\n"
        )
        return 1
    try:
        prepare_host()
        began = time.monotonic()
        say(
            "Making a test distribution of Debian's packages and a tools image of it (a minute or two, the first time only)"
        )
        distro, samples = the_distro(), the_samples()
        images = the_images(distro)
        say(f"Test distribution {distro.repo}, tools image {images.tools} ({time.monotonic() - began:.0f} s)")
        with PodmanService() as service:
            result = Path(tempfile.mkdtemp(prefix="koji-adjutant-demo-"))
            code = build(samples[SAMPLE], str(distro.repo), images.tools, service.url, result)
            if code == 0:
                show(result)
                code = build_from_git(distro, service.socket, images.tools)
    except (DistroError, HostError) as error:
        sys.stderr.write(f"make demo: {error}\n")
        return 1
    return code


def build(srpm: Path, repo: str, tools_image: str, podman: str, result: Path) -> int:
    """Run the command as a user would, its output on this terminal."""
    command = [sys.executable, "-m", "koji_adjutant.cli.main"]
    installed = Path(sys.executable).parent / "koji-adjutant"
    if installed.exists():
        command = [str(installed)]
    command += [
        "build",
        str(srpm),
        "--repo",
        repo,
        "--group",
        "build",
        "--tools-image",
        tools_image,
        "--result",
        str(result),
    ]
    say("$ " + " ".join(command))
    env = {"ADJUTANT_PODMAN_SOCKET": podman}
    return subprocess.run(["/usr/bin/env", *(f"{k}={v}" for k, v in env.items()), *command], check=False).returncode


def show(result: Path) -> None:
    """Print each RPM's path with what rpm reads in it."""
    say("\nWhat rpm reads in the packages:")
    for path in sorted(result.rglob("*.rpm")):
        say(f"\n{path}")
        text = subprocess.run(["rpm", "-qip", str(path)], capture_output=True, text=True, check=False).stdout
        say("\n".join(f"    {line}" for line in text.splitlines()[:HEADER_LINES]))


if __name__ == "__main__":
    sys.exit(main())
