"""The packages of an image, from the rpm files that its tool has kept in the root (contract 4.7)."""

from __future__ import annotations

from typing import Any

import koji

from koji_adjutant.buildroot.contents import package_files_command, parse_installed
from koji_adjutant.buildroot.provenance import Provenance, buildroot_list
from koji_adjutant.tasks.root_work import OpenRoot

QUERY_SECONDS = 900.0


def packages_of_image(opened: OpenRoot, directory: str, provenance: Provenance) -> list[dict[str, Any]]:
    """Return the entries of the image's packages, each once, as a buildroot's are.

    Raises:
        koji.LiveCDError: the plugin's text where there are none.
        BuildFault, BuildrootFault: a package is not one that Koji knows, or its header cannot be read.
    """
    command = package_files_command(opened.root.layout, directory)
    code, output = opened.root.ask_tools(command, timeout=QUERY_SECONDS)
    if code == 3 or not output:
        raise koji.LiveCDError("No repos found in yum cache!")
    if code:
        raise koji.LiveCDError(f"packages in {directory} cannot be read: rpm ended with {code}")
    packages = {package.nevra: package for package in parse_installed(output)}
    entries, _ = buildroot_list(packages.values(), provenance)
    return entries
