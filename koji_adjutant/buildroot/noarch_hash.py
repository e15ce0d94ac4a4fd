"""Hashes of noarch packages, by which the hub sees whether builds on two arches made the same (contract 4.0.7, 7.3).

Computed in `tools` by a short script over python3-rpm: the daemon parses no package of a build with librpm. The value is
that of `koji.rpmdiff.Rpmdiff(f, f, ignore='S5TN').kojihash()` of koji 1.36.1; koji 1.35 gives another one for the same
package, and a hub that meets both compares the packages themselves (contract 9).
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping, Sequence

from koji_adjutant.buildroot.faults import BuildrootFault
from koji_adjutant.buildroot.tools_python import python_command

LOG_NAME = "noarch_rpmdiff.json"
NO_RPM_MODULE = 3
"""Exit code of the script where `tools` has no python3 with an rpm module."""

_SHA256 = re.compile(r"[0-9a-f]{64}")

_SCRIPT = """
import hashlib, json, os, sys
try:
    import rpm
except ImportError:
    sys.exit(3)

TAGS = "NAME SUMMARY DESCRIPTION GROUP LICENSE URL PREIN POSTIN PREUN POSTUN".split()
# Position in koji's list of file attributes; size (0), mtime (2), nlink (6), digest (11) and inode (5) do not count.
FILE = {1: "mode", 3: "fflags", 4: "rdev", 7: "state", 8: "vflags", 9: "user", 10: "group"}


def text(value):
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def listed(value):
    return value if isinstance(value, list) else [value]


def relations(header, name):
    one = name[:-1]
    found = list(zip(header[name], listed(header[one + "FLAGS"]), header[one + "VERSION"]))
    if name == "PROVIDES":
        own = (header["name"], rpm.RPMSENSE_EQUAL, "%s-%s" % (header["version"], header["release"]))
        found = [entry for entry in found if entry != own]
    return sorted(found)


def koji_hash(path):
    ts = rpm.TransactionSet()
    ts.setVSFlags(-1)
    fd = os.open(path, os.O_RDONLY)
    header = ts.hdrFromFdno(fd)
    os.close(fd)
    numbers = [getattr(rpm, "RPMTAG_" + tag) for tag in TAGS]
    data = {"tags": {number: header[number] for number in numbers}, "ignore": "S5TN"}
    for name in ("REQUIRES", "PROVIDES", "CONFLICTS", "OBSOLETES"):
        data[name] = relations(header, name)
    data["files"] = {f.name: {i: getattr(f, a) for i, a in FILE.items()} for f in rpm.files(header)}
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=text).encode("utf-8")).hexdigest()


print(json.dumps({os.path.basename(path): koji_hash(path) for path in sys.argv[1:]}))
"""


def hash_command(paths: Sequence[str]) -> list[str]:
    """Return argv for `tools` that prints the hashes of packages, `paths` as seen there."""
    return python_command(_SCRIPT, *paths)


def parse_hashes(output: bytes, paths: Sequence[str]) -> dict[str, str]:
    """Read the output of `hash_command`: file name to hash, exactly those asked for.

    Raises:
        BuildrootFault: anything else.
    """
    names = {posixpath.basename(path) for path in paths}
    try:
        found = json.loads(output)
    except ValueError as error:
        raise BuildrootFault(f"hashes of noarch packages cannot be read: {error}") from error
    if not isinstance(found, dict) or set(found) != names:
        raise BuildrootFault("hashes of noarch packages are not those of the packages that were built")
    for name, value in found.items():
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            raise BuildrootFault(f"the hash of {name} is not a SHA-256")
    return found


def noarch_rpmdiff(task_id: int, hashes: Mapping[str, str]) -> bytes:
    """Return noarch_rpmdiff.json as kojid writes it; nothing is uploaded where there are no noarch packages."""
    return json.dumps({str(task_id): dict(hashes)}, indent=2, sort_keys=True).encode()
