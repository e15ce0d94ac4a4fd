"""What the pages of these tests show: a builder on an ordinary day."""

from __future__ import annotations

import time
from pathlib import Path

from koji_adjutant.buildroot.prepared import REPOSITORY, PreparedImage
from koji_adjutant.monitoring.problems import Problem
from koji_adjutant.tasks.progress import PhaseTime
from tests.support.made_up_daemon import PREPARED, MadeUpDaemon

BUILD_LOG = (
    "Executing(%build): /bin/sh -e /var/tmp/rpm-tmp.k3Xq2f\n"
    "+ cd /builddir/build/BUILD/hello-2.12.2-build\n"
    "+ ./configure --build=x86_64-redhat-linux --prefix=/usr\n"
    + "".join(f"checking for header {number}... yes\n" for number in range(60))
    + "+ /usr/bin/make -O -j16 V=1\n"
)
FAILURE = (
    "error building package (arch x86_64), mock exited with status 1; see build.log or root.log for more information\n"
    "error: Bad exit status from /var/tmp/rpm-tmp.Zw1 (%check)"
)


def furnished(directory: Path) -> MadeUpDaemon:
    """A daemon with four running tasks, what ran before, images and two problems."""
    now = time.time()
    daemon = MadeUpDaemon(directory)
    build = daemon.run(1204, age=95.0)
    (build / "build.log").write_text(BUILD_LOG)
    (build / "root.log").write_text("root from prepared image\n")
    daemon.run(1206, age=4.0)
    daemon.run(1207, age=11.0, adopted=True)
    daemon.run(
        1203,
        age=140.0,
        method="build",
        label="f43, /rpms/hello:4d3c2b1",
        waiting=True,
        awaited=(1204,),
        phase="waiting",
        phases=(PhaseTime("start", now - 140), PhaseTime("waiting", now - 96)),
        **dict.fromkeys(("doing", "container", "image", "digest", "prepared"), ""),
    )
    for number in range(12):
        daemon.remember(1100 + number * 7, ago=300.0 + 800 * number, took=20.0 + 13 * (number % 5))
    daemon.remember(1190, ago=200.0, took=44.0, result="failed", reason=FAILURE)
    daemon.remember(
        1185,
        ago=900.0,
        took=3.0,
        result="refused",
        reason="disk-full: no space left at /var/lib/containers",
        prepared="",
    )
    daemon.found_images = [
        PreparedImage(PREPARED, 412 << 20, now - 90_000, now - 95, hits=218, tag="f43-build", repo_id="5121"),
        PreparedImage(
            f"{REPOSITORY}:{'a1' * 32}", 388 << 20, now - 200_000, now - 7200, hits=41, tag="f42-build", repo_id="5117"
        ),
        PreparedImage(f"{REPOSITORY}:{'c3' * 32}", 301 << 20, now - 300_000, now - 40_000, hits=3),
    ]
    daemon.found_problems = [
        Problem(now - 880, "error", "task.given_back", "no space left at /var/lib/containers\nFree space there.", 1185),
        Problem(now - 4000, "warning", "host.check_in_failed", "the hub does not answer: connection refused", times=3),
    ]
    return daemon
