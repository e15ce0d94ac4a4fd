"""Section `hosts`: the Koji host names a daemon may claim, each with its credentials."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from koji_adjutant.config.section import AbsolutePath, Section


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
