"""Durable steps on a real runtime: what a command is given, and what is known of it afterwards."""

from __future__ import annotations

import hashlib
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from koji_adjutant.container.steps import StepEnd, StepSpec
from koji_adjutant.errors import ExecError, Interrupted
from tests.support.steps import BUSYBOX, KINDS, Recorder, StepRig, step_rig

pytestmark = pytest.mark.podman


@pytest.fixture(scope="module", params=KINDS)
def shared_rig(request: pytest.FixtureRequest, podman_socket: Path, empty_image: str) -> Iterator[StepRig]:
    """A pair of containers that the tests of this module share; its root holds nothing."""
    with step_rig(podman_socket, empty_image, request.param) as found:
        yield found


@pytest.fixture
def rig(shared_rig: StepRig, request: pytest.FixtureRequest) -> StepRig:
    """The shared pair with this test's faults."""
    return shared_rig.for_test(request.node)


@pytest.mark.parametrize("code", [0, 1, 2, 126, 127, 128, 137, 255])
def test_exit_codes_arrive(rig: StepRig, code: int) -> None:
    """The status holds the code the command ended with, also those that shells use for signals."""
    status = rig.run(f"exit {code}").status
    assert (status.end, status.exit_code, status.signal) == (StepEnd.EXITED, code, None)
    assert status.ok is (code == 0)


@pytest.mark.parametrize("number", [1, 6, 9, 11, 15])
def test_death_by_signal_is_no_exit_code(rig: StepRig, number: int) -> None:
    """The status names the signal and has no exit code."""
    status = rig.run(f"kill -{number} $$").status
    assert (status.end, status.exit_code, status.signal) == (StepEnd.EXITED, None, number)


def test_streams_are_merged_in_order(rig: StepRig) -> None:
    """Without separate_stderr both streams share one log in the order of writing."""
    assert rig.run("for i in 1 2 3; do echo o$i; echo e$i >&2; done").out == b"o1\ne1\no2\ne2\no3\ne3\n"


def test_streams_apart_byte_for_byte(rig: StepRig) -> None:
    """Any bytes, without a final newline, each stream in its own log."""
    ran = rig.run(r"printf '\000\377\r\n\200o'; printf '\376\000e' >&2", separate_stderr=True)
    assert (ran.out, ran.err) == (b"\0\xff\r\n\x80o", b"\xfe\0e")
    assert (ran.status.out_bytes, ran.status.err_bytes) == (6, 3)


def test_a_hundred_megabytes_in_bounded_memory(rig: StepRig) -> None:
    """100 MB at full speed arrive whole, and the follower never holds more than a little of it."""
    if rig.kind == "faulty":
        pytest.skip("not here: the wrapper is about order, not about size")
    size, seen = 100_000_000, Recorder(keep=0)
    spec = rig.spec(f"tr '\\0' x </dev/zero | head -c {size}")
    rig.steps.start(rig.task, spec)
    tracemalloc.start()
    try:
        status = rig.steps.follow(rig.task, spec.name, seen)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (status.end, status.out_bytes, status.dropped_bytes) == (StepEnd.EXITED, size, 0)
    assert seen.digest.digest() == hashlib.sha256(b"x" * size).digest()
    assert peak < 32 << 20


def test_start_twice_starts_once(rig: StepRig) -> None:
    """Starting a name again, also many times at once, gives the run id of the one run."""
    spec = rig.spec("echo once; echo once >> /run/adjutant/steps/ran-$1", "x", uid=0, gid=0)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(rig.service().start(rig.task, spec))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ran = rig.run_spec(spec)
    assert set(found) == {ran.status.run_id}
    assert len(found) == 5
    assert ran.out == b"once\n"
    assert rig.shell("cat /run/adjutant/steps/ran-x; rm /run/adjutant/steps/ran-x") == b"once\n"


def test_another_daemon_follows_on(rig: StepRig) -> None:
    """A new service object goes on at any offset while the step runs, and after its end, as often as asked."""
    spec = rig.spec("echo first; until [ -e /run/adjutant/steps/go ]; do sleep 0.1; done; echo second", uid=0, gid=0)
    rig.steps.start(rig.task, spec)
    first, stop = Recorder(), threading.Event()
    follower = threading.Thread(target=_follow_until, args=(rig, spec, first, stop))
    follower.start()
    assert first.some.wait(120)
    stop.set()
    follower.join(60)
    assert not follower.is_alive()
    rig.shell(": > /run/adjutant/steps/go")
    rest = Recorder(offset=first.size)
    assert rig.service().follow(rig.task, spec.name, rest, offset=first.size).ok
    assert bytes(first.data + rest.data) == b"first\nsecond\n"
    whole = Recorder()
    assert rig.service().follow(rig.task, spec.name, whole).ok
    assert bytes(whole.data) == b"first\nsecond\n"


def _follow_until(rig: StepRig, spec: StepSpec, seen: Recorder, stop: threading.Event) -> None:
    with pytest.raises(Interrupted):
        rig.steps.follow(rig.task, spec.name, seen, interrupt=stop)


def test_interrupt_ends_the_wait_and_not_the_step(rig: StepRig) -> None:
    """A set event ends `follow` within two seconds; the step ends in its own time."""
    spec = rig.spec("sleep 4; echo done")
    rig.steps.start(rig.task, spec)
    stop = threading.Event()
    follower = threading.Thread(target=_follow_until, args=(rig, spec, Recorder(), stop))
    follower.start()
    stop.set()
    follower.join(2)
    assert not follower.is_alive()
    assert rig.run_spec(spec).out == b"done\n"


def test_arguments_environment_and_directory_arrive_byte_for_byte(rig: StepRig) -> None:
    """Spaces, quotes, `=`, `$`, newlines and bytes that are no UTF-8, 200 KB in all; nothing is added."""
    odd = "a b'\"=$(id)\\\n\t\udcff*"
    long = "x" * 100_000
    ran = rig.run('printf "%s|" "$X" "$@"', odd, long, "", env={"PATH": "/run/adjutant/bin", "X": odd + long})
    assert ran.out == b"|".join(one.encode("utf-8", "surrogateescape") for one in (odd + long, odd, long, "")) + b"|"
    spec = rig.spec("")
    spec = StepSpec(spec.name, [BUSYBOX, "env"], env={"A": odd, "B": ""}, workdir="/run/adjutant")
    assert rig.run_spec(spec).out == b"A=" + odd.encode("utf-8", "surrogateescape") + b"\nB=\n"
    assert rig.run("pwd", workdir="/run/adjutant").out == b"/run/adjutant\n"


def test_identity_and_surroundings(rig: StepRig) -> None:
    """User, groups, umask, no capability, default signals, stdin, open files and personality are as asked."""
    script = (
        "id -u; id -g; id -G; umask; grep -E '^(CapEff|CapInh|SigBlk|SigIgn|NoNewPrivs):' /proc/self/status;"
        "ulimit -n; ulimit -c; readlink /proc/self/fd/0; uname -m; ls /proc/self/fd | wc -l"
    )
    lines = rig.run(script, gid=135, groups=(10, 20), umask=0o027, nofile=1234, personality="linux32").out.split(b"\n")
    assert lines[:4] == [b"1000", b"135", b"135 10 20", b"0027"]
    status = {line.split(b":\t")[0]: line.split(b":\t")[1] for line in lines[4:9]}
    assert {int(value, 16) for key, value in status.items() if key != b"NoNewPrivs"} == {0}
    assert status[b"NoNewPrivs"] == b"0", "setuid programs work as in a mock chroot"
    assert lines[9:12] == [b"1234", b"0", b"/dev/null"]
    assert lines[12] in {b"i686", b"armv8l"}
    assert int(lines[13]) <= 4, "nothing of the runner is inherited"


def test_root_keeps_its_capabilities(rig: StepRig) -> None:
    """A step of uid 0 has what the container's root has."""
    ran = rig.run("grep CapEff /proc/self/status", uid=0, gid=0)
    assert ran.out == rig.shell("grep CapEff /proc/self/status")
    assert int(ran.out.split()[1], 16) != 0


def test_chroot_is_entered_before_the_command(rig: StepRig) -> None:
    """In `tools` a step can run inside the root of `task`."""
    spec = rig.spec("", chroot="/buildroot", argv=("/run/adjutant/bin/none",), uid=0, gid=0)
    rig.steps.start(rig.tools, spec)
    status = rig.steps.follow(rig.tools, spec.name, Recorder())
    assert status.message == "cannot execute /run/adjutant/bin/none: No such file or directory"
    assert rig.run("true", chroot="/no-such-root", uid=0, gid=0).status.message.startswith(
        "cannot change root to /no-such-root"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"argv": ("/no/such program",)}, "cannot execute /no/such program: No such file or directory"),
        ({"argv": ("no-such",)}, "cannot execute no-such: No such file or directory"),
        ({"argv": ("/run",)}, "cannot execute /run: Permission denied"),
        ({"workdir": "/no/such"}, "cannot enter directory /no/such: No such file or directory"),
        ({"argv": (BUSYBOX, "x" * 200_000)}, f"cannot execute {BUSYBOX}: Argument list too long"),
    ],
)
def test_what_cannot_be_started_says_why(rig: StepRig, options: dict[str, object], message: str) -> None:
    """NOT_STARTED with the program or directory and the system's word."""
    ran = rig.run("true", **options)
    assert (ran.status.end, ran.status.exit_code, ran.status.message) == (StepEnd.NOT_STARTED, None, message)
    assert not ran.status.ok


def test_offline_is_proved_and_has_a_route(rig: StepRig) -> None:
    """An offline step sees only `lo`, up, and gets an answer at once for an outside address, as under mock."""
    # Not /sys: in a pod that shows the pod's network, which the step cannot reach.
    script = "tail -n +3 /proc/net/dev | cut -d: -f1; grep -c '^lo' /proc/net/route; wc -l </proc/net/route"
    ran = rig.run(script, offline=True)
    assert (ran.status.end, ran.status.message) == (StepEnd.EXITED, "")
    assert ran.out.split() == [b"lo", b"1", b"2"]


def test_never_started_is_an_error(rig: StepRig) -> None:
    """Following a name that nobody started is refused, not waited for."""
    with pytest.raises(ExecError, match="never started") as caught:
        rig.steps.follow(rig.task, "nobody-started-this", Recorder())
    assert caught.value.reason == "not-started"


def test_two_steps_at_once_do_not_mix(rig: StepRig) -> None:
    """Steps of different users in one container at once: each has its own output and end."""
    specs = [
        rig.spec(f"for i in $(seq 500); do echo {uid}; done; exit {code}", uid=uid, gid=uid)
        for uid, code in ((2001, 1), (2002, 2), (2003, 3))
    ]
    for spec in specs:
        rig.steps.start(rig.task, spec)
    for spec in specs:
        ran = rig.run_spec(spec)
        assert ran.out == f"{spec.uid}\n".encode() * 500
        assert ran.status.exit_code == spec.uid - 2000
