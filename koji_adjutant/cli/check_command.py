"""`koji-adjutant check`: what is wrong with configuration and surroundings, in words an operator can act on."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from koji_adjutant.cli.checks.check import Check, Finding, Report, Severity, finding_of, run_checks
from koji_adjutant.cli.checks.control import check_control
from koji_adjutant.cli.checks.host import check_state_dir, check_subordinate_ids, check_topdir, userns_owner
from koji_adjutant.cli.checks.hub import check_login, check_topurls
from koji_adjutant.cli.checks.mock_site import check_mock_site
from koji_adjutant.cli.checks.runtime import check_images, check_runtime, check_static_programs, check_storage
from koji_adjutant.cli.checks.self_test import self_test
from koji_adjutant.cli.config_files import Loaded, add_file_arguments, load_files
from koji_adjutant.config.kojid_options import KojidOptions, log_levels
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.config.secrets import mask_text
from koji_adjutant.container.interface import ContainerManager

RUNTIME_CHECKS: list[Callable[[AdjutantConfig], Check]] = [self_test]
"""Further checks that need adjutant.yaml only, run last; with `after="images"` only where runtime and images are fine."""


EXAMPLES = """\
koji-adjutant check
koji-adjutant check --json | jq '.checks[] | select(.ok | not)'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    add_file_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Run all checks, print each as it ends; 1 if one found a problem."""
    reports = []
    for report in run_checks(all_checks(load_files(arguments))):
        reports.append(report)
        if not arguments.json:
            sys.stdout.write(as_text(report))
            sys.stdout.flush()
    ok = all(report.ok for report in reports)
    if arguments.json:
        sys.stdout.write(json.dumps({"ok": ok, "checks": [as_data(report) for report in reports]}, indent=2) + "\n")
    return 0 if ok else 1


def all_checks(loaded: Loaded) -> list[Check]:
    """List the checks that can be run with what was loaded; the first one tells what could not be."""
    checks = [Check("configuration", f"{loaded.kojid_file}, {loaded.adjutant_file}", partial(_configuration, loaded))]
    if loaded.options is not None:
        checks += _hub_checks(loaded.options)
    if loaded.config is not None:
        checks += _host_checks(loaded.config, loaded.options)
        checks += _runtime_checks(loaded.config, loaded.options.minspace if loaded.options else KojidOptions.minspace)
    return [*checks, Check("mock", "/etc/mock/*.cfg: options without an equivalent", check_mock_site)]


def as_text(report: Report) -> str:
    """Write a report for a terminal."""
    state = "ok" if report.ok else "problem"
    lines = [f"{state:<8} {report.check.name}: {report.check.asks}"]
    for finding in report.findings:
        mark = "-" if finding.severity is Severity.PROBLEM else "note:"
        lines += [f"         {mark} {finding.text}".replace("\n", "\n           ")]
        if finding.remedy:
            lines += [f"           {finding.remedy}"]
    return "\n".join(lines) + "\n"


def as_data(report: Report) -> dict[str, Any]:
    """Return a report as plain data."""
    findings = [
        {"severity": str(finding.severity), "text": finding.text, "remedy": finding.remedy}
        for finding in report.findings
    ]
    return {"name": report.check.name, "asks": report.check.asks, "ok": report.ok, "findings": findings}


def _configuration(loaded: Loaded) -> Sequence[Finding]:
    if loaded.options is not None:
        log_levels(loaded.options)  # raises for a level that is none
    return [finding_of(error) for error in loaded.errors]


def _hub_checks(options: KojidOptions) -> list[Check]:
    return [
        Check("hub", f"login at {mask_text(options.server)}", partial(check_login, options)),
        Check("topurl", mask_text(" ".join(options.topurls)), partial(check_topurls, options.topurls)),
    ]


def _host_checks(config: AdjutantConfig, options: KojidOptions | None) -> list[Check]:
    minspace = options.minspace if options else KojidOptions.minspace
    jobs = options.maxjobs if options else KojidOptions.maxjobs
    topdir = options.topdir if options else KojidOptions.topdir
    checks = [
        Check("state_dir", str(config.state_dir), partial(check_state_dir, config.state_dir, minspace)),
        Check("control socket", str(config.control.path(config.state_dir) or "off"), partial(check_control, config)),
        Check("topdir", topdir, partial(check_topdir, topdir, config.artifacts)),
    ]
    owner = userns_owner(config)
    if config.runtime == "podman" and config.podman.userns and owner:
        asks = f"ranges of {owner} in /etc/subuid and /etc/subgid"
        checks.append(Check("subordinate ids", asks, partial(check_subordinate_ids, config.podman, owner, jobs)))
    return checks


def _runtime_checks(config: AdjutantConfig, minspace: int) -> list[Check]:
    open_manager = partial(_open_manager, config)
    programs = str(config.static_dir or "as installed")
    return [
        Check("static programs", programs, partial(check_static_programs, config.static_dir)),
        Check("runtime", config.runtime, partial(check_runtime, open_manager, config)),
        Check(
            "storage", "disk of images and containers", partial(check_storage, open_manager, minspace), after="runtime"
        ),
        Check("images", config.images.tools or "none", partial(check_images, open_manager, config), after="runtime"),
        *(make(config) for make in RUNTIME_CHECKS),
    ]


def _open_manager(config: AdjutantConfig) -> ContainerManager:
    # late: the clients of a runtime take a second to import, and are not needed to say that a file is wrong
    from koji_adjutant.container.factory import create_container_manager

    return create_container_manager(config)
