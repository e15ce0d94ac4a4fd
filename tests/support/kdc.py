"""A Kerberos realm on loopback: Debian's krb5-kdc with a database, a configuration and a port of the test's own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from tests.support.free_port import free_port

REALM = "ADJUTANT.TEST"
PROGRAMS = ("krb5kdc", "kadmin.local", "kdb5_util")


def missing_programs() -> list[str]:
    """Return which programs of krb5-kdc this machine lacks."""
    return [program for program in PROGRAMS if _find(program) is None]


class KDC:
    """Runs from `start` to `stop`; `environment` is what Kerberos programs and libraries need to use it."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self.environment = {
            "KRB5_CONFIG": str(directory / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(directory / "kdc.conf"),
            "KRB5RCACHETYPE": "none",
        }
        (directory / "krb5.conf").write_text(
            f"""[libdefaults]
 default_realm = {REALM}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
[realms]
 {REALM} = {{
  kdc = 127.0.0.1:{self.port}
 }}
[domain_realm]
 localhost = {REALM}
"""
        )
        (directory / "kdc.conf").write_text(
            f"""[kdcdefaults]
 kdc_listen = 127.0.0.1:{self.port}
 kdc_tcp_listen = 127.0.0.1:{self.port}
[realms]
 {REALM} = {{
  database_name = {directory}/principal
  key_stash_file = {directory}/stash
  acl_file = {directory}/acl
 }}
[logging]
 kdc = FILE:{directory}/kdc.log
"""
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._run("kdb5_util", "create", "-s", "-r", REALM, "-P", "master")
        self._process = subprocess.Popen(
            [_find("krb5kdc") or "krb5kdc", "-n", "-r", REALM], env=self._env(), stdout=subprocess.DEVNULL
        )
        _wait_for_port(self.port)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)

    def keytab(self, principal: str) -> Path:
        """Make a principal with a random key; return its keytab."""
        path = self.directory / f"{principal.replace('/', '-')}.keytab"
        self._run("kadmin.local", "-r", REALM, "-q", f"addprinc -randkey {principal}")
        self._run("kadmin.local", "-r", REALM, "-q", f"ktadd -k {path} {principal}")
        return path

    def _run(self, *command: str) -> None:
        program = _find(command[0]) or command[0]
        subprocess.run([program, *command[1:]], env=self._env(), check=True, capture_output=True, timeout=60)

    def _env(self) -> dict[str, str]:
        return {**os.environ, **self.environment}


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _wait_for_port(port: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
