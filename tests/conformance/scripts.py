"""What the suite lets containers do, each script twice: as shell text, and as a Python callable for the in-memory runtime.

Both get the same argv, `busybox sh -c TEXT sh ARGS...`: a test does not know which runtime it runs on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from koji_adjutant.container.memory_files import DIRECTORY, Kind, Node
from koji_adjutant.container.memory_programs import KILLED, Invocation, Program, built_in
from koji_adjutant.errors import CopyError

BUSYBOX = "/bin/busybox"
IDLE = (BUSYBOX, "sleep", "100000")
"""What PID 1 of most containers does."""

_BY_TEXT: dict[str, Program] = {}


@dataclass(frozen=True)
class Script:
    """A script; call it with its arguments for an argv."""

    text: str

    def __call__(self, *args: str) -> list[str]:
        return [BUSYBOX, "sh", "-c", self.text, "sh", *args]


def _script(text: str) -> Callable[[Program], Script]:
    def add(program: Program) -> Script:
        _BY_TEXT[text] = program
        return Script(text)

    return add


def busybox(process: Invocation) -> int:
    """The in-memory busybox: `sh -c` of a script of this module, or a built-in applet."""
    if list(process.argv[1:3]) == ["sh", "-c"]:
        program = _BY_TEXT[process.argv[3]]
        process.argv = process.argv[5:]
        return program(process)
    return built_in()["busybox"](process)


@_script('exit "$1"')
def exit_with(process: Invocation) -> int:
    return int(process.argv[0])


@_script('kill -"$1" $$; sleep 5')
def die_by(process: Invocation) -> int:
    return 128 + int(process.argv[0])


@_script('printf "%s" "$1"; printf "%s" "$2" >&2; exit "$3"')
def say(process: Invocation) -> int:
    process.stdout(process.argv[0].encode())
    process.stderr(process.argv[1].encode())
    return int(process.argv[2])


@_script("printf '\\377\\000\\200a\\r\\n\\nb'; printf '\\376\\000e' >&2")
def say_binary(process: Invocation) -> int:
    process.stdout(b"\xff\x00\x80a\r\n\nb")
    process.stderr(b"\xfe\x00e")
    return 0


@_script('head -c "$1" /dev/zero')
def flood(process: Invocation) -> int:
    left = int(process.argv[0])
    while left:
        piece = min(left, 1 << 16)
        process.stdout(bytes(piece))
        left -= piece
    return 0


@_script("""for a in "$@"; do printf '%s\\000' "$a"; done""")
def arguments(process: Invocation) -> int:
    process.stdout(b"".join(each.encode() + b"\0" for each in process.argv))
    return 0


@_script("env -0")
def environment(process: Invocation) -> int:
    process.stdout(b"".join(f"{name}={value}\0".encode() for name, value in process.env.items()))
    return 0


@_script("printf '%s' \"$PWD\"")
def working_directory(process: Invocation) -> int:
    process.stdout(process.workdir.encode())
    return 0


@_script("printf '%s:%s' $(id -u) $(id -g)")
def who(process: Invocation) -> int:
    process.stdout(process.user.encode())
    return 0


@_script("cat")
def echo_stdin(process: Invocation) -> int:
    process.stdout(process.stdin)
    return 0


@_script('cat "$1"')
def read_file(process: Invocation) -> int:
    if process.files.get(process.argv[0]) is None:
        return 1
    process.stdout(process.files.read(process.argv[0]))
    return 0


@_script('printf "%s" "$2" > "$1"')
def write_file(process: Invocation) -> int:
    try:
        process.files.write(process.argv[0], process.argv[1].encode())
    except CopyError:
        return 1
    return 0


@_script('mkdir -p "$1"')
def make_directory(process: Invocation) -> int:
    process.files.put(process.argv[0], DIRECTORY)
    return 0


@_script('ln -sfn "$1" "$2"')
def make_link(process: Invocation) -> int:
    process.files.put(process.argv[1], Node(Kind.LINK, mode=0o777, target=process.argv[0]))
    return 0


@_script('test -p "$1" || mkfifo "$1"')
def make_pipe(process: Invocation) -> int:
    process.files.put(process.argv[0], Node(Kind.SPECIAL))
    return 0


@_script('for i in $(seq "$2"); do : > "$1/$i"; done')
def make_files(process: Invocation) -> int:
    for number in range(1, int(process.argv[1]) + 1):
        process.files.write(f"{process.argv[0]}/{number}", b"")
    return 0


@_script("kill -9 1; kill 1; kill -9 -1; sleep 5")
def kill_pid_1(process: Invocation) -> int:
    process.end_container()
    return KILLED


@_script('if test -L "$1"; then readlink -n "$1"; else printf "%s" "$(stat -c "%a %u:%g" "$1")"; fi')
def look(process: Invocation) -> int:
    node = process.files.get(process.argv[0])
    if node is None:
        return 1
    process.stdout(node.target.encode() if node.kind is Kind.LINK else f"{node.mode:o} 0:0".encode())
    return 0


@_script('sleep 4321 & setsid sh -c "setsid sleep 4321 </dev/null >/dev/null 2>&1 &"; echo ready; sleep 4321')
def hang_with_children(process: Invocation) -> int:
    process.fork(_wait)
    process.fork(_wait)
    process.stdout(b"ready\n")
    return _wait(process)


@_script("ps | grep -c '[s]leep 4321'; true")
def count_hanging(process: Invocation) -> int:
    process.stdout(f"{process.processes()}\n".encode())
    return 0


@_script("head -c 268435456 /dev/zero | tail -c 268435456 > /dev/null")
def eat_memory(process: Invocation) -> int:
    process.allocate(256 << 20)
    return 0


@_script("cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max")
def memory_limit(process: Invocation) -> int:
    process.stdout(f"{process.spec.limits.memory_bytes}\n".encode())
    return 0


@_script("cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max")
def pids_limit(process: Invocation) -> int:
    process.stdout(f"{process.spec.limits.pids}\n".encode())
    return 0


@_script(
    "if test -e /sys/fs/cgroup/cpu.max; then cat /sys/fs/cgroup/cpu.max; else "
    "echo $(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us) $(cat /sys/fs/cgroup/cpu/cpu.cfs_period_us); fi"
)
def cpu_limit(process: Invocation) -> int:
    process.stdout(f"{int((process.spec.limits.cpus or 0) * 100_000)} 100000\n".encode())
    return 0


@_script("ulimit -n")
def nofile_limit(process: Invocation) -> int:
    process.stdout(f"{process.spec.limits.nofile}\n".encode())
    return 0


@_script(r"ip -o link | sed -n 's/^[0-9]*: \([a-z0-9]*\).*[<,]UP[,>].*/\1/p'")
def interfaces(process: Invocation) -> int:
    process.stdout(b"lo\n")
    return 0


@_script('for d in null zero full random urandom; do test -c "$1/$d" || echo no $d; done; readlink -n "$1/fd"')
def devices(process: Invocation) -> int:
    process.stdout(b"/proc/self/fd")
    return 0


@_script('test -e "$1/1/status" && printf proc')
def proc_there(process: Invocation) -> int:
    process.stdout(b"proc")
    return 0


@_script('echo ran >> "$1"; sleep 100000')
def mark_and_idle(process: Invocation) -> int:
    process.files.append(process.argv[0], b"ran\n")
    return _wait(process)


def _wait(process: Invocation) -> int:
    process.killed.wait()
    return KILLED
