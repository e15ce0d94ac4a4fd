"""Compiles `adjutant-runner`, the static program that runs durable steps inside containers.

As a hatchling build hook it puts the program into each wheel (also an editable one); `python packaging/build_hook.py` compiles
it in place, which `make` does. Needs a C compiler (`CC`, else gcc) and the static C library; nothing is fetched.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # called as a program, without hatchling
    BuildHookInterface = object

RUNNER_DIR = "koji_adjutant/container/runner"
PROGRAM = "adjutant-runner"
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-static", "-Os", "-s", "-Wall", "-Wextra", "-Werror"]
REMEDY = (
    "adjutant-runner is a static C program: install a C compiler and the static C library "
    "(Debian: apt-get install gcc libc6-dev; Fedora, RHEL: dnf install gcc glibc-static)."
)


class CustomBuildHook(BuildHookInterface):
    """Adds the compiled program to the wheel, which is then one for this platform."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds; `version` is `standard` or `editable`."""
        if self.target_name != "wheel":
            return
        program = compile_runner(Path(self.root))
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag()}"
        if version != "editable":
            build_data["force_include"][str(program)] = f"{RUNNER_DIR}/{PROGRAM}"


def platform_tag() -> str:
    """The platform's name in wheel tags; static: any Linux of this architecture will do."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


def compile_runner(root: Path) -> Path:
    """Compile in place unless the program is newer than its sources; returns its path. Safe to repeat, also at once.

    Raises:
        SystemExit: without a compiler or the static library, with the remedy.
    """
    directory = root / RUNNER_DIR
    program = directory / PROGRAM
    sources = sorted(directory.glob("*.c"))
    if is_current(program, [*sources, *directory.glob("*.h"), Path(__file__)]):
        return program
    with tempfile.TemporaryDirectory(dir=directory, prefix=".build-") as build:
        fresh = Path(build) / PROGRAM
        run_compiler([*FLAGS, *cflags(), "-o", str(fresh), *map(str, sources)])
        fresh.chmod(0o755)
        fresh.replace(program)
    return program


def is_current(program: Path, sources: list[Path]) -> bool:
    """Whether `program` was made after the last change of `sources`."""
    return program.exists() and program.stat().st_mtime >= max(source.stat().st_mtime for source in sources)


def cflags() -> list[str]:
    """Flags of the distribution's packager, if any."""
    return shlex.split(os.environ.get("CFLAGS", ""))


def run_compiler(arguments: list[str]) -> None:
    """Run the C compiler; SystemExit with its words and the remedy if it cannot do it."""
    compiler = shlex.split(os.environ.get("CC", "gcc"))
    if shutil.which(compiler[0]) is None:
        raise SystemExit(f"there is no C compiler {compiler[0]!r}. {REMEDY}")
    result = subprocess.run([*compiler, *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(compiler)} could not make {PROGRAM}:\n{result.stderr}{REMEDY}")


if __name__ == "__main__":
    sys.stdout.write(f"{compile_runner(Path(__file__).resolve().parent.parent)}\n")
