"""Signatures of rpms: added to what is here, and signed copies for dist repos."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import koji

from koji_adjutant.minihub.builds import strict_build
from koji_adjutant.minihub.context import Context, exported
from koji_adjutant.minihub.rpm_file import key_of
from koji_adjutant.minihub.rpms import find_rpm

_SIGMD5 = 1004


def _own(ctx: Context, info: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """An rpm of a build here, and the build."""
    rpm = find_rpm(ctx, info)
    if rpm is None:
        raise koji.GenericError(f"No such rpm: {info!r}")
    if rpm["external_repo_id"]:
        raise koji.GenericError(f"Not an internal rpm: {info} (from {rpm['external_repo_name']})")
    return rpm, strict_build(ctx, rpm["build_id"])


@exported("addRPMSig")
def add_rpm_sig(ctx: Context, an_rpm: Any, data: str) -> None:
    """Keep a signature header (base64) of an rpm: permission `sign`."""
    ctx.assert_perm("sign")
    rpm, build = _own(ctx, an_rpm)
    header = base64.b64decode(data)
    signature = koji.RawHeader(header)
    nvra = "{name}-{version}-{release}.{arch}".format_map(rpm)
    sigmd5 = koji.hex_string(signature.get(_SIGMD5))
    if sigmd5 != rpm["payloadhash"]:
        raise koji.GenericError(f"wrong md5 for {nvra}: {sigmd5}")
    key = key_of(signature)
    if ctx.db.value("SELECT 1 FROM rpmsigs WHERE rpm_id = ? AND sigkey = ?", (rpm["id"], key)):
        raise koji.GenericError(f"Signature already exists for package {nvra}, key {key}")
    digest = hashlib.md5(header, usedforsecurity=False).hexdigest()
    ctx.db.insert("rpmsigs", rpm_id=rpm["id"], sigkey=key, sighash=digest)
    path = ctx.state.build_directory(build) / ctx.state.paths.sighdr(rpm, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header)


def write_signed(ctx: Context, an_rpm: Any, sigkey: str, *, force: bool) -> None:
    """A signed copy of an rpm beside it; again is fine."""
    rpm, build = _own(ctx, an_rpm)
    key = sigkey.lower()
    plain = ctx.state.rpm_path(build, rpm)
    if not plain.exists():
        raise koji.GenericError(f"No such path: {plain}")
    if not ctx.db.value("SELECT 1 FROM rpmsigs WHERE rpm_id = ? AND sigkey = ?", (rpm["id"], key)):
        nvra = "{name}-{version}-{release}.{arch}".format_map(rpm)
        raise koji.GenericError(f"No cached signature for package {nvra}, key {key}")
    signed = ctx.state.rpm_path(build, rpm, key)
    if signed.exists() and not force:
        return
    signed.unlink(missing_ok=True)
    signed.parent.mkdir(parents=True, exist_ok=True)
    header = (ctx.state.build_directory(build) / ctx.state.paths.sighdr(rpm, key)).read_bytes()
    koji.splice_rpm_sighdr(header, str(plain), dst=str(signed))


@exported("writeSignedRPM")
def write_signed_rpm(ctx: Context, an_rpm: Any, sigkey: str, force: bool = False) -> None:
    """A signed copy: permission `sign`."""
    ctx.assert_perm("sign")
    write_signed(ctx, an_rpm, sigkey, force=force)


@exported("host.writeSignedRPM")
def host_write_signed_rpm(ctx: Context, an_rpm: Any, sigkey: str, force: bool = False) -> None:
    """The same for a builder; the real hub asks for no permission here either."""
    write_signed(ctx, an_rpm, sigkey, force=force)
