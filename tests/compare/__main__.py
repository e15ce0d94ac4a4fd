"""The same source packages built by two builders of one hub: everything that differs, and exit code 1 if anything does.

Every package is built once by `--ours` and twice by `--theirs`: what differs between two runs of kojid and mock is not held
against us. `python -m tests.compare --lab STATE/etc/lab.json --ours builder2 --theirs builder1 [NAME|FILE...]`
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.compare.lab import LabHub, TaskOutcome
from tests.compare.outcomes import Difference, compare, differ_anyway, explanation
from tests.distro.sample_packages import the_samples

SAMPLES = (
    "hello-c",
    "noarch-data",
    "many-subpackages",
    "dynamic-br",
    "fails-prep",
    "fails-build",
    "fails-check",
    "missing-br",
    "not-an-rpm",
    "truncated",
    "unicode",
    "big-log",
    "odd-modes",
    "needs-oddities",
    "env-probe",
    "network-probe",
)
"""All samples but those that only end when they are cancelled."""
NOARCH = frozenset({"noarch-data", "env-probe", "network-probe", "big-log", "needs-oddities"})
"""Samples that a build task would send as noarch; their arch is the task's when the file is named instead."""


def main(arguments: Sequence[str]) -> int:
    """Compare; 0: all differences are explained, 1: some are not."""
    options = _options(arguments)
    hub = LabHub(options.lab, options.tag)
    repo_id = options.repo or hub.repo()
    samples = the_samples()
    chosen: Mapping[str, Path] = {
        Path(name).name: samples.get(name) or Path(name) for name in options.samples or SAMPLES
    }
    out = options.out or Path(tempfile.mkdtemp(prefix="compare-"))
    _say(f"repo {repo_id} of {options.tag}; files in {out}")
    failed = [name for name, srpm in chosen.items() if not _equal(hub, options, repo_id, name, srpm, out)]
    _say(
        f"{len(chosen) - len(failed)} of {len(chosen)} equal or explained"
        + (f"; not: {', '.join(failed)}" if failed else "")
    )
    return 1 if failed else 0


def _equal(hub: LabHub, options: argparse.Namespace, repo_id: int, name: str, srpm: Path, out: Path) -> bool:
    source = hub.upload(srpm)
    arch = "noarch" if name in NOARCH else options.arch
    hosts = [options.ours, options.theirs, *([options.theirs] if options.twice else [])]
    outcomes = []
    # One after the other: two builds at once on one machine would only slow each other down.
    for number, host in enumerate(hosts):
        task = hub.build_arch(source, arch, repo_id, host)
        hub.ended([task], options.timeout)
        outcomes.append(hub.outcome(task, out / name / f"{number}-{host}"))
    ours, theirs, *again = outcomes
    anyway = differ_anyway(theirs, again[0]) if again else {}
    found = compare(ours, theirs, anyway)
    why = explanation(ours, theirs) if found else None
    _report(name, ours, theirs, anyway, found)
    if why:
        _say(f"   EXPLAINED {why}")
    return not found or why is not None


def _report(
    name: str, ours: TaskOutcome, theirs: TaskOutcome, anyway: Mapping[str, object], found: Sequence[Difference]
) -> None:
    _say(f"\n== {name}: {'equal' if not found else f'{len(found)} differences'}")
    for who, outcome in (("ours", ours), ("theirs", theirs)):
        fault = f" {outcome.fault[0]} {outcome.fault[1]!r}" if outcome.fault else ""
        contents = ", ".join(str(len(root)) for root in outcome.buildroots)
        _say(
            f"   {who:6} task {outcome.task_id} {outcome.state}{fault}, {outcome.seconds:.1f} s, "
            f"{len(outcome.rpms)} rpms, {len(outcome.logs)} logs, buildroot of {contents or 'none'}"
        )
    for package, elements in anyway.items():
        if elements:
            _say(f"   differs between two runs of theirs: {package}: {_elements(elements)}")
    for difference in found:
        _say(f"   DIFFERS {difference}")


def _elements(elements: object) -> str:
    assert isinstance(elements, frozenset)
    return ", ".join(sorted(elements)[:8]) + (f" and {len(elements) - 8} more" if len(elements) > 8 else "")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.compare", description=__doc__)
    parser.add_argument("--lab", type=Path, required=True, help="lab.json of the hub")
    parser.add_argument("--ours", default="builder2", help="the host that koji-adjutant runs")
    parser.add_argument("--theirs", default="builder1", help="the host that kojid runs")
    parser.add_argument("--tag", default="lab-build", help="build tag")
    parser.add_argument("--arch", default="x86_64", help="arch of what is not noarch")
    parser.add_argument("--repo", type=int, help="repo id; the newest of the tag if left out")
    parser.add_argument("--once", dest="twice", action="store_false", help="build only once with kojid")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for each task")
    parser.add_argument("--out", type=Path, help="directory for logs and packages")
    parser.add_argument("samples", nargs="*", help="names of tests/distro/samples, or files; all samples if left out")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
