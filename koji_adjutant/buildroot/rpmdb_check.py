"""Whether the root's own rpm reads what the rpm of `tools` has written (design section 6.1: backend and path may differ).

Asked as the build user, as rpmbuild will: a database that it cannot read would look like missing BuildRequires.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from koji_adjutant.buildroot.contents import NOT_COUNTED
from koji_adjutant.buildroot.faults import InfrastructureFault, RootFault
from koji_adjutant.buildroot.per_task import BUILD_GID, BUILD_UID
from koji_adjutant.buildroot.root import QUERY_SECONDS, Root
from koji_adjutant.errors import ExecError

QUERY = ("rpm", "-qa", "--nosignature", "--nodigest", "--qf", "%{NEVRA}\\n")
ABOUT = "rpm --version; rpm --eval '%{?_db_backend} at %{_dbpath}'"


def check_rpmdb(root: Root) -> None:
    """Compare both views of a filled root; a root without rpm is left alone, since nothing in it reads a database.

    Raises:
        InfrastructureFault: they differ; it names both rpms.
    """
    # Both are asked at once: an answer is mostly the making of a process.
    with ThreadPoolExecutor(1, "rpmdb") as pool:
        installed = pool.submit(root.installed)
        try:
            result = root.manager.exec(
                root.pair.task, QUERY, user=f"{BUILD_UID}:{BUILD_GID}", env={"HOME": "/"}, timeout=QUERY_SECONDS
            )
        except ExecError as error:
            if error.reason == "not-started":
                return
            raise
    written = {rpm.nevra for rpm in installed.result() if rpm.name not in NOT_COUNTED}
    seen = {line for line in result.stdout.decode("utf-8", "replace").splitlines() if not _not_counted(line)}
    if result.exit_code or seen != written:
        raise mismatch(written, seen, _about(root, in_tools=True), _about(root, in_tools=False), result.stderr)


def mismatch(
    written: Collection[str], seen: Collection[str], tools: str, inside: str, complaint: bytes
) -> InfrastructureFault:
    """Return the fault for a root whose rpm sees other packages than were installed."""
    only = sorted(set(written) ^ set(seen))
    brief = (
        f"the root's own rpm ({inside}) does not read what the tools' rpm ({tools}) has written: it sees {len(seen)} of "
        f"{len(written)} packages"
    )
    fault = InfrastructureFault(brief, reason="rpmdb", final=RootFault(f"could not init mock buildroot, {brief}"))
    fault.details = "\n".join(
        part for part in (complaint[-1000:].decode("utf-8", "replace").strip(), _examples(only)) if part
    )
    fault.resolution = (
        "Fill the root with an rpm of its own kind: set mock.use_bootstrap of the tag to True, or name a tools image of "
        "that distribution (adjutant.image of the tag, or images.rules)."
    )
    return fault


def _examples(names: Sequence[str]) -> str:
    return f"seen by one of them only: {', '.join(names[:5])}" if names else ""


def _not_counted(nevra: str) -> bool:
    return nevra.rsplit("-", 2)[0] in NOT_COUNTED


def _about(root: Root, *, in_tools: bool) -> str:
    where = root.pair.tools if in_tools else root.pair.task
    result = root.manager.exec(where, ["sh", "-c", ABOUT], timeout=QUERY_SECONDS)
    lines = result.stdout.decode("utf-8", "replace").splitlines()
    return ", ".join(line.strip() for line in lines if line.strip()) or "unknown version"
