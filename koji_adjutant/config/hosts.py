"""Section `hosts`: the Koji host names a daemon may claim, each with its credentials."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

from pydantic import Field, model_validator

from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.config.section import AbsolutePath, Section
from koji_adjutant.errors import ConfigurationError


class HostEntry(Section):
    """One host name with exactly one way to log in."""

    name: str = Field(min_length=1, description="Name of the host as registered at the hub (`koji add-host`).")
    cert: AbsolutePath | None = Field(None, description="Client certificate and key in one PEM file.")
    keytab: AbsolutePath | None = Field(None, description="Keytab; with `principal`.")
    principal: str | None = Field(None, description="Kerberos principal; with `keytab`.")
    user: str | None = Field(None, description="User of a password login; with `password_file`.")
    password_file: AbsolutePath | None = Field(
        None,
        description="File that holds the password in its first line; with `user`. A password never stands in this file.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        for first, second in (("keytab", "principal"), ("user", "password_file")):
            if (getattr(self, first) is None) != (getattr(self, second) is None):
                message = f"host {self.name!r}: {first} and {second} go together; give both or none"
                raise ValueError(message)
        ways = [name for name in ("cert", "keytab", "user") if getattr(self, name) is not None]
        if len(ways) != 1:
            message = (
                f"host {self.name!r} has {len(ways)} ways to log in; give exactly one of cert, keytab and principal, "
                "user and password_file"
            )
            raise ValueError(message)
        return self

    def options(self, options: KojidOptions, *, inherited: bool) -> KojidOptions:
        """Return kojid.conf's options with this host's way to log in, and no other.

        `inherited`: a daemon that held the name has not let it go and is gone, so its session at the hub may be closed.

        Raises:
            ConfigurationError: the password's file cannot be read, or is empty.
        """
        return replace(
            options,
            cert=None if self.cert is None else str(self.cert),
            user=self.user,
            password=None if self.password_file is None else self._password(self.password_file),
            keytab=options.keytab if self.keytab is None else str(self.keytab),
            krb_principal=self.principal,
            force_lock=options.force_lock or inherited,
        )

    def _password(self, path: AbsolutePath) -> str:
        try:
            lines = path.read_text().splitlines()
        except OSError as error:
            raise ConfigurationError(
                f"password_file {path} of host {self.name} cannot be read: {error.strerror}",
                resolution="Write the password into its first line, readable for the daemon only.",
            ) from error
        if not lines or not lines[0].strip():
            raise ConfigurationError(f"password_file {path} of host {self.name} is empty")
        return lines[0].strip()
