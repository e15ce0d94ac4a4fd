"""A certificate authority of a test's own, made by openssl."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path


class PKI:
    """Certificates below one directory; `pem` files hold key and certificate, as koji wants them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.ca = directory / "ca.crt"
        self._openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test CA"),
            *("-keyout", "ca.key", "-out", "ca.crt"),
        )

    def issue(self, name: str, *, host: bool = False) -> Path:
        """Return a PEM file with key and certificate of CN `name`; `host` makes it good for TLS servers of that name."""
        extra = self.directory / f"{name}.ext"
        extra.write_text(f"subjectAltName=DNS:{name}\n" if host else "extendedKeyUsage=clientAuth\n")
        self._openssl(
            *(
                "req",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                f"/CN={name}",
                "-keyout",
                f"{name}.key",
                "-out",
                f"{name}.csr",
            )
        )
        self._openssl(
            *(
                "x509",
                "-req",
                "-in",
                f"{name}.csr",
                "-CA",
                "ca.crt",
                "-CAkey",
                "ca.key",
                "-CAcreateserial",
                "-days",
                "2",
            ),
            *("-extfile", str(extra), "-out", f"{name}.crt"),
        )
        pem = self.directory / f"{name}.pem"
        pem.write_bytes((self.directory / f"{name}.key").read_bytes() + (self.directory / f"{name}.crt").read_bytes())
        return pem

    def server_context(self, *, client_certificates: bool) -> ssl.SSLContext:
        """Return the TLS side of a server on localhost; with client certificates it asks for one and checks it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issue("localhost", host=True))
        if client_certificates:
            context.load_verify_locations(self.ca)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def _openssl(self, *args: str) -> None:
        subprocess.run(["openssl", *args], cwd=self.directory, check=True, capture_output=True)
