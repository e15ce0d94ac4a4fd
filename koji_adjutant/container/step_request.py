"""The request of a durable step: from `StepSpec` to the bytes that `adjutant-runner run` reads (`runner/request.c`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from koji_adjutant.container.steps import StepSpec
from koji_adjutant.errors import ExecError

MAX_REQUEST_BYTES = 16 << 20
"""What the runner accepts; the kernel's own limit for argv and environment is smaller."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")


def check_step_name(name: str) -> str:
    """Return `name` if it may name a step (and so a directory).

    Raises:
        ExecError: `not-started`.
    """
    if not _NAME.fullmatch(name):
        raise _refused(name, "is not a name of a step ([a-z0-9][a-z0-9_.-]*, at most 100 characters)")
    return name


def encode_request(spec: StepSpec) -> bytes:
    """Everything the runner needs to know, as NUL-terminated strings. Any byte but NUL passes as it is.

    Raises:
        ExecError: `not-started`: what no command can be given (NUL in a string, `=` in the name of a variable).
    """
    check_step_name(spec.name)
    if not spec.argv:
        raise _refused(spec.name, "has no command")
    parts = [b"ADJREQ1", *_settings(spec), *_counted(spec, b"argc", spec.argv), *_counted(spec, b"envc", _env(spec))]
    request = b"\0".join([*parts, b"end", b""])
    if len(request) > MAX_REQUEST_BYTES:
        raise _refused(
            spec.name, f"has {len(request)} bytes of arguments and environment, more than {MAX_REQUEST_BYTES}"
        )
    return request


def _settings(spec: StepSpec) -> Iterator[bytes]:
    yield _setting(spec, "workdir", spec.workdir)
    if spec.chroot is not None:
        yield _setting(spec, "chroot", spec.chroot)
    if spec.personality is not None:
        yield _setting(spec, "personality", spec.personality)
    yield _setting(spec, "groups", ",".join(map(str, spec.groups)))
    for key, number in _numbers(spec).items():
        yield _setting(spec, key, str(number))


def _numbers(spec: StepSpec) -> dict[str, int]:
    return {
        "uid": spec.uid,
        "gid": spec.gid,
        "umask": spec.umask,
        "timeout_ms": _milliseconds(spec.timeout),
        "no_output_ms": _milliseconds(spec.no_output_timeout) if spec.no_output_timeout is not None else 0,
        "orphan_ms": _milliseconds(spec.orphan_timeout),
        "log_cap": spec.log_cap,
        "nofile": spec.nofile or 0,
        "separate_stderr": int(spec.separate_stderr),
        "offline": int(spec.offline),
    }


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _env(spec: StepSpec) -> list[str]:
    for key in spec.env:
        if not key or "=" in key:
            raise _refused(spec.name, f"has an environment variable with the impossible name {key!r}")
    return [f"{key}={value}" for key, value in spec.env.items()]


def _setting(spec: StepSpec, key: str, value: str) -> bytes:
    return key.encode() + b"=" + _bytes(spec, value)


def _counted(spec: StepSpec, key: bytes, strings: Iterable[str]) -> list[bytes]:
    encoded = [_bytes(spec, string) for string in strings]
    return [b"%s=%d" % (key, len(encoded)), *encoded]


def _bytes(spec: StepSpec, text: str) -> bytes:
    if "\0" in text:
        raise _refused(spec.name, f"has a NUL in {text[:80]!r}")
    return text.encode("utf-8", "surrogateescape")


def _refused(name: str, why: str) -> ExecError:
    return ExecError(f"step {name!r} {why}", reason="not-started")
