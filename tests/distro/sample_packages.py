"""Source packages for the tests: a spec each in samples/, some damaged after they were built."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.distro.cache import HERE, hash_of, made_once
from tests.distro.rpmbuild import rpmbuild

SPECS = HERE / "samples"
NOISE = 65536
"""Bytes that do not compress: half of them are cut off `truncated`."""


def the_samples() -> Mapping[str, Path]:
    """Return the source packages by name, built when missing (2 s).

    Raises:
        DistroError: rpmbuild is missing or a spec does not parse.
    """
    sources = [*SPECS.iterdir(), HERE / "rpmbuild.py", HERE / "sample_packages.py"]
    directory = made_once("samples", hash_of(sources), _make)
    return {path.name.rsplit("-", 2)[0]: path for path in sorted(directory.glob("*.src.rpm"))}


def _make(out: Path) -> None:
    specs = out / "specs"
    shutil.copytree(SPECS, specs)
    (specs / "noise").write_bytes(b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(NOISE // 32)))
    for spec in sorted(specs.glob("*.spec")):
        rpmbuild("-bs", spec, out / "work", out, out)
    truncated = next(out.glob("truncated-*.src.rpm"))
    truncated.write_bytes(truncated.read_bytes()[: -NOISE // 2])
    shutil.copy(specs / "not-an-rpm.html", out / "not-an-rpm-1.0-1.src.rpm")
    shutil.rmtree(out / "work")
    shutil.rmtree(specs)
