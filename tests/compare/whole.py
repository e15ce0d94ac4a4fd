"""Whole builds (`koji build`) of the same sources by two builders of one hub: what differs in the trees of their tasks.

`python -m tests.compare.whole --lab STATE/etc/lab.json --ours builder2 --theirs builder1 [NAME...]`; exit code 1 if anything
differs. One host is enabled at a time, so no other build should be under way.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.compare.lab import LabHub
from tests.compare.trees import Node, differences, only, tree
from tests.distro.sample_packages import the_samples


@dataclass(frozen=True)
class Case:
    """One build to ask for. `source`: a sample, or a URL with `{git}` for the lab's repositories."""

    source: str
    options: Mapping[str, Any] = field(default_factory=lambda: {"scratch": True})
    nvr: str = ""
    """Of a build that is no scratch build: it is reset before each run."""


CASES: Mapping[str, Case] = {
    "scratch": Case("hello-c"),
    "noarch": Case("noarch-data"),
    "subpackages": Case("many-subpackages"),
    # One arch: of two, of which one fails, the other is cancelled or has ended before, whoever builds.
    "arch-override": Case("hello-c", {"scratch": True, "arch_override": "x86_64"}),
    "arch-override-fails": Case("hello-c", {"scratch": True, "arch_override": "noarch"}),
    "fails-build": Case("fails-build"),
    "fails-prep": Case("fails-prep"),
    "missing-br": Case("missing-br"),
    "not-an-rpm": Case("not-an-rpm"),
    "truncated": Case("truncated"),
    "real": Case("hello-c", {}, nvr="hello-c-1.0-1.adj1"),
    "skip-tag": Case("hello-c", {"skip_tag": True}, nvr="hello-c-1.0-1.adj1"),
    "git": Case("git+{git}/labscm.git#HEAD"),
    "git-no-such-commit": Case("git+{git}/labscm.git#0123456789012345678901234567890123456789"),
    "git-not-allowed": Case("git+http://elsewhere.example.com/x#HEAD"),
    "git-no-such-repository": Case("git+{git}/nothing-here#HEAD"),
    "no-such-tag-repo": Case("hello-c", {"scratch": True, "repo_id": 999_999}),
}


def main(arguments: Sequence[str]) -> int:
    """Compare; 0: no differences."""
    options = _options(arguments)
    hub = LabHub(options.lab, options.tag)
    # Else the first build alone waits for a repo, in a child of its own.
    hub.repo()
    differing = [name for name in options.cases or CASES if not _equal(hub, options, name, CASES[name])]
    _say(f"differing: {', '.join(differing) or 'none'}")
    return 1 if differing else 0


def _equal(hub: LabHub, options: argparse.Namespace, name: str, case: Case) -> bool:
    trees = [_run(hub, options, host, case) for host in (options.ours, options.theirs)]
    found = differences(*trees)
    ends = " / ".join(_end(node) for node in trees)
    _say(f"== {name}: {'equal' if not found else f'{len(found)} differences'}: {ends}")
    for difference in found:
        _say(f"   DIFFERS {difference}")
    return not found


def _run(hub: LabHub, options: argparse.Namespace, host: str, case: Case) -> Node:
    if case.nvr:
        hub.make_room(case.nvr, options.target)
    samples = the_samples()
    source = case.source.format(git=options.git) if "{git}" in case.source or "://" in case.source else ""
    with only(hub, host, (options.ours, options.theirs)):
        task = hub.build(source or hub.upload(Path(samples[case.source])), options.target, case.options)
        hub.ended([task], options.timeout)
        return tree(hub, task)


def _end(node: Node) -> str:
    return node.state + (f" {node.fault[0]} {node.fault[1]!r}" if node.fault else "")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.compare.whole", description=__doc__)
    parser.add_argument("--lab", type=Path, required=True, help="lab.json of the hub")
    parser.add_argument("--ours", default="builder2", help="the host that koji-adjutant runs")
    parser.add_argument("--theirs", default="builder1", help="the host that kojid runs")
    parser.add_argument("--tag", default="lab-build", help="build tag")
    parser.add_argument("--target", default="lab", help="build target")
    parser.add_argument("--git", default="http://127.0.0.1:8642/git", help="address above the lab's git repositories")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for each build")
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; all if left out")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
