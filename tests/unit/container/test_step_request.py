"""The bytes a step's runner is given."""

from __future__ import annotations

import pytest

from koji_adjutant.container.step_request import check_step_name, encode_request
from koji_adjutant.container.steps import StepSpec
from koji_adjutant.errors import ExecError


def test_request_holds_everything_in_order() -> None:
    """Settings first, then the counted arguments, then the counted environment; each string ends with NUL."""
    spec = StepSpec(
        "build",
        ["rpmbuild", "-bb", ""],
        env={"A": "b=c"},
        workdir="/builddir",
        uid=1000,
        gid=135,
        groups=(1, 2),
        chroot="/buildroot",
        timeout=0.0001,
        no_output_timeout=2.5,
        personality="linux32",
        nofile=4096,
        offline=True,
    )
    assert encode_request(spec).split(b"\0") == [
        b"ADJREQ1", b"workdir=/builddir", b"chroot=/buildroot", b"personality=linux32", b"groups=1,2",
        b"uid=1000", b"gid=135", b"umask=18", b"timeout_ms=1", b"no_output_ms=2500", b"orphan_ms=900000",
        b"log_cap=1073741824", b"nofile=4096", b"separate_stderr=0", b"offline=1",
        b"argc=3", b"rpmbuild", b"-bb", b"", b"envc=1", b"A=b=c", b"end", b"",
    ]  # fmt: skip


def test_any_bytes_but_nul_pass() -> None:
    """What the file system or a macro may hold arrives as it is."""
    request = encode_request(StepSpec("s", ["a\udcff\n\u00e9 '\"$="]))
    assert b"\0a\xff\n\xc3\xa9 '\"$=\0" in request


@pytest.mark.parametrize(
    ("argv", "env", "word"),
    [
        ([], {}, "no command"),
        (["a\0b"], {}, "NUL"),
        (["a"], {"B=C": "d"}, "B=C"),
        (["a"], {"": "d"}, "impossible name"),
        (["a"], {"B": "\0"}, "NUL"),
        (["a" * (17 << 20)], {}, "bytes"),
    ],
)
def test_what_no_command_can_be_given_is_refused(argv: list[str], env: dict[str, str], word: str) -> None:
    """The error names the step and what is wrong."""
    with pytest.raises(ExecError, match="'s'") as caught:
        encode_request(StepSpec("s", argv, env=env))
    assert word in caught.value.brief
    assert caught.value.reason == "not-started"


@pytest.mark.parametrize("name", ["", ".", "..", "-x", "A", "a/b", "a b", "a\n", "x" * 101])
def test_names_that_are_no_directory_of_a_step(name: str) -> None:
    """A name is a plain file name and nothing else."""
    with pytest.raises(ExecError):
        check_step_name(name)
    assert check_step_name("rpmbuild-bb.1_x") == "rpmbuild-bb.1_x"
