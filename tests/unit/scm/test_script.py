"""The script of a checkout, run by a real shell with programs that do what the test wants."""

import os
import shutil
import subprocess

import pytest

from koji_adjutant.container.static_tools import static_directory
from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.scm.bounded import TOO_LARGE, bounded
from koji_adjutant.scm.commands import plan_checkout
from koji_adjutant.scm.script import NO_PROGRAM, checkout_script, failed_command
from koji_adjutant.scm.source_url import parse_source

GIT = """#!/bin/sh
case "$*" in *ls-tree*) ;; *) echo "ran $*" ;; esac
case "$*" in
    "clone -n "*) mkdir -p "${4##*/}/.git" ;;
    *rev-parse*) exit 0 ;;
    *ls-tree*) seq ${FILES:-1} ;;
esac
case "$*" in $FAILING) exit 3 ;; esac
"""


@pytest.fixture
def desk(tmp_path):
    (tmp_path / "bin").mkdir()
    for name, text in (("git", GIT), ("svn", "#!/bin/sh\nmkdir -p name\n")):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    shutil.copy(static_directory() / "busybox", tmp_path / "busybox")
    return tmp_path


def run(desk, argv, **env):
    """Run a command for a container here, its static programs from the desk."""
    argv = [word.replace(f"{BIN_DIR}/busybox", str(desk / "busybox")) for word in argv]
    path = f"{desk / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(argv, env={"PATH": path, **env}, check=False, capture_output=True, text=True, timeout=120)


def check_out(desk, limits, url="git://h/a/repo#r", *, common=False, allow_password=False, **env):
    scm = parse_source(url, allow_password=allow_password)
    scm.use_common = common
    scmdir = str(desk / "work" / "scmroot")
    plan = plan_checkout(scm, scmdir)
    (desk / "work").mkdir(exist_ok=True)
    files = {"ssh": str(desk / "work" / "ssh"), "commit": str(desk / "work" / "commit")}
    script = checkout_script(plan, scmdir=scmdir, ssh_text="it's ssh\n", limits=limits, **files)
    done = run(desk, [f"{BIN_DIR}/busybox", "sh", "-c", script], **env)
    return plan, done, [line for line in done.stdout.splitlines() if line.startswith("$ ")]


def test_commands_are_shown_and_run(desk, limits):
    """Each command is echoed as kojid does; the wrapper for ssh is there; HEAD is written down."""
    plan, done, shown = check_out(desk, limits)
    assert done.returncode == 0
    assert shown == [f"$ {command.shown}" for command in (plan.module, *plan.update)]
    assert (desk / "work" / "ssh").read_text() == "it's ssh\n"
    assert os.access(desk / "work" / "ssh", os.X_OK)
    assert "rev-parse HEAD" in (desk / "work" / "commit").read_text()


@pytest.mark.parametrize(
    ("failing", "place"),
    [("clone -n git:*repo", 0), ("fetch*|reset*", 3), ("clone*common", 4)],
)
def test_failing_command_is_named(desk, limits, failing, place):
    """The exit code names the command that failed, which for a revision is the last resort."""
    plan, done, _ = check_out(desk, limits, common=True, FAILING="")
    assert done.returncode == 0
    script = (desk / "bin" / "git").read_text().replace("$FAILING", failing.replace(" ", "\\ "))
    (desk / "bin" / "git").write_text(script)
    plan, done, _ = check_out(desk, limits, common=True)
    assert failed_command(plan, done.returncode) == plan.commands[place]


def test_a_failed_fetch_is_made_good(desk, limits):
    """A revision that only reset understands: a short hash."""
    script = (desk / "bin" / "git").read_text().replace("$FAILING", "fetch*")
    (desk / "bin" / "git").write_text(script)
    plan, done, shown = check_out(desk, limits)
    assert done.returncode == 0
    assert shown == [f"$ {command.shown}" for command in (plan.module, plan.update[0], plan.recovery)]


def test_a_tree_is_counted_before_it_is_read(desk, limits):
    """More files than allowed: no reset is run."""
    _, done, shown = check_out(desk, limits, FILES="21")
    assert done.returncode == TOO_LARGE
    assert not any("reset" in line for line in shown)
    assert check_out(desk, limits, FILES="20")[1].returncode == 0


def test_common_gets_its_link(desk, limits):
    """Beside the source directory, by kojid's relative way; a directory of that name stays."""
    plan, done, shown = check_out(desk, limits, "git://h/a/repo?deep/mod#r", common=True)
    assert done.returncode == 0
    assert shown[-1] == "$ git clone git://h/a/common common"
    (desk / "work" / "scmroot" / "repo" / "deep").mkdir(exist_ok=True)
    _, done, _ = check_out(desk, limits, "git://h/a/repo?deep/mod#r", common=True)
    assert os.readlink(desk / "work" / "scmroot" / plan.beside / "common") == "../../common"


def test_words_of_a_url_stay_words(desk, limits):
    """Nothing of a URL is for the shell."""
    url = f"svn://h/a;touch?name$(touch${{IFS}}{desk}/owned)'\"#1 2".replace(";touch", "")
    _, done, shown = check_out(desk, limits, url)
    assert done.returncode == 0
    assert shown[0].endswith("'\"")
    assert not (desk / "owned").exists()


def test_missing_program_has_its_code(desk, limits):
    """An image without the program of the scheme."""
    assert check_out(desk, limits, "cvs://h/a?m#r", PATH=str(desk / "bin"))[1].returncode == NO_PROGRAM


@pytest.mark.parametrize("failing", ["login", "checkout", "nothing"])
def test_no_password_stays(desk, limits, failing):
    """What `cvs login` has written is removed, also when a command fails; the exit code is still the command's."""
    cvs = desk / "bin" / "cvs"
    cvs.write_text(f"""#!/bin/sh
case "$3" in login) echo secret > {desk}/work/cvspass ;; *) [ -s {desk}/work/cvspass ] || exit 9 ;; esac
[ "$3" != {failing} ] || exit 3
""")
    cvs.chmod(0o755)
    plan, done, _ = check_out(desk, limits, "cvs://user:secret@h/a?m#r", allow_password=True)
    failed = failed_command(plan, done.returncode)
    assert (failed.argv[3] if failed else "nothing") == failing
    assert not (desk / "work" / "cvspass").exists()


def test_bounded_ends_as_its_command(desk, limits):
    """Output and exit code are the command's."""
    done = run(desk, bounded(["sh", "-c", "echo out; exit 7"], str(desk), limits))
    assert (done.returncode, done.stdout) == (7, "out\n")


@pytest.mark.parametrize("fill", ["head -c 3000000 /dev/zero > big", "for n in $(seq 40); do : > $n; done"])
def test_bounded_ends_what_grows_too_large(desk, limits, fill):
    """Too many bytes or too many files: the command is killed with a code of its own."""
    (desk / "grows").mkdir()
    command = ["sh", "-c", f"cd {desk}/grows; {fill}; exec sleep 1000"]
    argv = [
        word.replace("/run/adjutant-too-large", f"{desk}/mark") for word in bounded(command, f"{desk}/grows", limits)
    ]
    assert run(desk, argv).returncode == TOO_LARGE
