"""Noarch hashes: reading what tools printed, and equality with koji's own where this machine has an rpm module."""

import json
import subprocess

import pytest

from koji_adjutant.buildroot.faults import BuildrootFault
from koji_adjutant.buildroot.noarch_hash import hash_command, noarch_rpmdiff, parse_hashes

HASH = "0123456789abcdef" * 4


def test_hashes_are_read_by_file_name():
    """Exactly those that were asked for."""
    assert parse_hashes(json.dumps({"a-1-1.noarch.rpm": HASH}).encode(), ["/x/a-1-1.noarch.rpm"]) == {
        "a-1-1.noarch.rpm": HASH
    }


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"[]",
        b"{}",
        json.dumps({"a.noarch.rpm": HASH, "b.noarch.rpm": HASH}).encode(),
        json.dumps({"a.noarch.rpm": "short"}).encode(),
        json.dumps({"a.noarch.rpm": 5}).encode(),
        json.dumps({"a.noarch.rpm": HASH.upper()}).encode(),
    ],
)
def test_anything_else_is_refused(output):
    """The answer comes from a hostile place."""
    with pytest.raises(BuildrootFault):
        parse_hashes(output, ["/x/a.noarch.rpm"])


def test_the_document_is_kojids():
    """Task id as text, names sorted, two spaces."""
    assert noarch_rpmdiff(12, {"b": "2", "a": "1"}) == b'{\n  "12": {\n    "a": "1",\n    "b": "2"\n  }\n}'


KOJI_HASH = """
import importlib.util, json, os, sys
sys.path.append(sys.argv[1])
spec = importlib.util.spec_from_file_location("rpmdiff", sys.argv[1] + "/koji/rpmdiff.py")
rpmdiff = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rpmdiff)
print(json.dumps({os.path.basename(p): rpmdiff.Rpmdiff(p, p, ignore="S5TN").kojihash() for p in sys.argv[2:]}))
"""


def noarch_package(directory):
    """A package with files, relations, scriptlets and a config file."""
    spec = directory / "sample.spec"
    spec.write_text(
        "Name: sample\nVersion: 1\nRelease: 2\nSummary: sämple\nLicense: MIT\nBuildArch: noarch\nEpoch: 3\n"
        "Requires: bash >= 4, (a or b)\nProvides: thing = 1\nConflicts: other < 2\nObsoletes: old\n%description\nx\n"
        "%install\nmkdir -p %{buildroot}/etc %{buildroot}/opt\necho 1 > %{buildroot}/etc/s.conf\n"
        "ln -s s.conf %{buildroot}/etc/link\n%post\nexit 0\n%files\n%config(noreplace) /etc/s.conf\n/etc/link\n%dir /opt\n"
    )
    defines = [f"_topdir {directory}", f"_dbpath {directory}/db", "_rpmfilename %{NAME}.%{ARCH}.rpm", "_sourcedir /x"]
    arguments = [part for define in defines for part in ("--define", define)]
    subprocess.run(["rpmbuild", "-bb", "--quiet", "--nodeps", *arguments, str(spec)], check=True, capture_output=True)
    return directory / "RPMS" / "sample.noarch.rpm"


def test_the_hash_is_kojis(tmp_path):
    """Equal to the library that this project is built on, for a package with everything in it."""
    import koji

    if subprocess.run(["/usr/bin/python3", "-c", "import rpm, six"], capture_output=True, check=False).returncode:
        pytest.skip("/usr/bin/python3 has no rpm module (packages python3-rpm and python3-six)")
    package = str(noarch_package(tmp_path))
    site = koji.__file__.rpartition("/koji/")[0]
    theirs = subprocess.run(["/usr/bin/python3", "-c", KOJI_HASH, site, package], capture_output=True, check=True)
    ours = subprocess.run(hash_command([package]), capture_output=True, check=True, timeout=60)
    assert parse_hashes(ours.stdout, [package]) == json.loads(theirs.stdout)
