"""Makes everything that is given to others, in dist/: sdist, wheel, the wheels it needs, source RPM, SBOMs (`make dist`).

The same commit gives the same bytes: SOURCE_DATE_EPOCH is that of the commit (of CHANGELOG.md in an unpacked sdist), archives
are sorted and owned by nobody. What PyPI serves at the time is what the wheels are; their names and hashes are in the SBOM.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "koji-adjutant"
BUILD_TOOLS = ("pip", "hatchling", "shtab")
"""What a source RPM needs besides, where the distribution has none: to build and install wheels, to write completions."""


def version() -> str:
    """The version in the source."""
    found = re.search(r'^__version__ = "(.+)"$', (ROOT / "koji_adjutant/__init__.py").read_text(), re.MULTILINE)
    assert found
    return found.group(1)


def source_date_epoch() -> str:
    """The time of everything that is made: SOURCE_DATE_EPOCH if set, else that of the commit, else of CHANGELOG.md."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return os.environ["SOURCE_DATE_EPOCH"]
    if (ROOT / ".git").exists():
        command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return result.stdout.strip()
    return str(int((ROOT / "CHANGELOG.md").stat().st_mtime))


def run(*command: str | Path, **environ: str) -> None:
    """Run a program; SystemExit with its words if it fails."""
    result = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {result.returncode}:\n{result.stdout}")


def make_sdist_and_wheel(out: Path) -> tuple[Path, Path]:
    """Build both with hatchling; the wheel holds the compiled runner. Returns their paths."""
    run(sys.executable, "-m", "hatchling", "build", "-d", out, "-t", "sdist", "-t", "wheel")
    stem = f"{NAME.replace('-', '_')}-{version()}"
    (wheel,) = out.glob(f"{stem}-*.whl")
    return out / f"{stem}.tar.gz", wheel


def make_wheels(out: Path, wheel: Path) -> Path:
    """Bring together what an offline installation needs: `run/` our dependencies, `build/` what a package build needs."""
    wheels = out / "wheels"
    for kind, wanted in (("run", (str(wheel),)), ("build", BUILD_TOOLS)):
        run(sys.executable, "-m", "pip", "wheel", "-q", "--wheel-dir", wheels / kind, *wanted)
    (wheels / "run" / wheel.name).unlink()
    return wheels


def make_static(out: Path) -> Path:
    """Lay the step runner and this machine's static busybox ready for the image, which is also that of init containers."""
    static = out / "static"
    static.mkdir()
    run(sys.executable, ROOT / "packaging/build_hook.py")
    shutil.copy(ROOT / "koji_adjutant/container/runner/adjutant-runner", static)
    busybox = shutil.which("busybox.static") or shutil.which("busybox")
    if busybox is None:
        raise SystemExit("there is no busybox: install the static one (Debian: busybox-static, Fedora: busybox)")
    shutil.copy(busybox, static / "busybox")
    return static


def tar(directory: Path, name: str, out: Path, epoch: int) -> Path:
    """Archive `directory` as `name/`, the same bytes for the same files."""
    archive = out / f"{name}.tar"
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as writer:
        for path in sorted(path for path in directory.rglob("*") if path.is_file()):
            member = tarfile.TarInfo(f"{name}/{path.relative_to(directory)}")
            member.size, member.mtime, member.mode = path.stat().st_size, epoch, 0o644
            writer.addfile(member, io.BytesIO(path.read_bytes()))
    return archive


def spec_text(wheels: Path | None) -> str:
    """The spec with this version and, for a build with its libraries, the Provides of what it bundles."""
    text = (ROOT / "packaging/koji-adjutant.spec").read_text()
    bundled = [] if wheels is None else sorted(wheel.name.split("-")[:2] for wheel in (wheels / "run").glob("*.whl"))
    provides = "\n".join(f"Provides: bundled(python3dist({_normal(name)})) = {number}" for name, number in bundled)
    return text.replace("@VERSION@", version()).replace("@BUNDLED@", provides)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def make_srpm(out: Path, sdist: Path, wheels: Path, epoch: str) -> Path:
    """Write the spec and build a source RPM of it with the libraries' wheels as second source."""
    top = out / "rpmbuild"
    sources = top / "SOURCES"
    sources.mkdir(parents=True)
    shutil.copy(sdist, sources)
    tar(wheels, f"{NAME}-vendor-{version()}", sources, int(epoch))
    for source in sources.iterdir():
        os.utime(source, (int(epoch), int(epoch)))
    spec = top / f"{NAME}.spec"
    spec.write_text(spec_text(wheels))
    os.utime(spec, (int(epoch), int(epoch)))
    macros = {
        "_topdir": str(top),
        "_srcrpmdir": str(out),
        "_buildhost": "localhost",
        "use_source_date_epoch_as_buildtime": "1",
        "source_date_epoch_from_changelog": "0",
        "clamp_mtime_to_source_date_epoch": "1",
        "dist": "%{nil}",
    }
    defines = [word for key, value in macros.items() for word in ("--define", f"{key} {value}")]
    run("rpmbuild", "-bs", "--nodeps", *defines, spec)
    shutil.rmtree(top)
    (srpm,) = out.glob("*.src.rpm")
    return srpm


def make_sbom(output: Path, kind: str, wheels: Path) -> None:
    """Write the bill of materials of what holds, or wants, these wheels."""
    described = ("--name", NAME, "--version", version(), "--purl-type", kind)
    run(sys.executable, ROOT / "packaging/sbom.py", *described, "--wheels", wheels / "run", "--output", output)


def main() -> int:
    """Make it all, or only what is asked for."""
    parser = argparse.ArgumentParser(prog="packaging/dist.py", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="default: %(default)s; emptied first")
    parser.add_argument("--no-srpm", action="store_true", help="leave the source RPM out (it needs rpmbuild)")
    arguments = parser.parse_args()
    if importlib.util.find_spec("hatchling") is None:
        parser.error("hatchling is missing: make setup, or pip install '.[dist]'")
    out: Path = arguments.output.resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    epoch = os.environ["SOURCE_DATE_EPOCH"] = source_date_epoch()
    sdist, wheel = make_sdist_and_wheel(out)
    wheels = make_wheels(out, wheel)
    make_static(out)
    if not arguments.no_srpm:
        make_srpm(out, sdist, wheels, epoch)
        make_sbom(out / f"{NAME}-{version()}.src.rpm.cdx.json", "rpm", wheels)
    shutil.copy(wheel, wheels / "run")
    make_sbom(out / f"{wheel.name}.cdx.json", "pypi", wheels)
    for path in sorted(out.rglob("*")):
        if path.is_file():
            sys.stdout.write(f"{path.relative_to(out)} {path.stat().st_size}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
