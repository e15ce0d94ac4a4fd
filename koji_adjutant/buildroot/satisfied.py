"""Are the requires of a source package met by what is installed? Asked of rpm itself, without a package manager.

A prepared root often holds all that a package needs. Then dnf, its metadata and its solver are not needed at all, which
saves a second or more. rpm's own check, the one that rpmbuild makes, understands rich dependencies and versions.
"""

from __future__ import annotations

from koji_adjutant.buildroot.dnf import DnfLayout
from koji_adjutant.buildroot.tools_python import python_command

_SCRIPT = """
import os, sys
try:
    import rpm
except ImportError:
    sys.exit(3)
rpm.addMacro("_dbpath", sys.argv[1])
ts = rpm.TransactionSet()
ts.setVSFlags(-1)
for path in sys.argv[2:]:
    fd = os.open(path, os.O_RDONLY)
    ts.addInstall(ts.hdrFromFdno(fd), None, "i")
    os.close(fd)
sys.exit(1 if ts.check() else 0)
"""


def satisfied_command(layout: DnfLayout, paths: list[str]) -> list[str]:
    """Return argv for `tools`; `paths` as seen in the root.

    Exit code 0: all is installed that they require. Anything else (1: something is missing; 3: no rpm module; a source
    package that cannot be read): ask the package manager, whose answer counts.
    """
    return python_command(_SCRIPT, layout.root + layout.dbpath, *(layout.root + path for path in paths))
