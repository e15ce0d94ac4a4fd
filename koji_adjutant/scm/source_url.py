"""SCM URLs: parsed by koji's own class, passwords kept out of every text, tricks refused (contract 5.1).

kojid puts passwords of URLs into faults and logs, and gives revision, module and host to the programs as they are: a
revision `--upload-pack=...` is an option of git, a module `../..` leads out of the checkout. Here both end before anything
runs.
"""

from __future__ import annotations

import re
import urllib.parse

import koji
from koji.daemon import SCM

HIDDEN = "***"
"""Stands for a password."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def parse_source(url: str, *, allow_password: bool = False) -> SCM:
    """Return koji's description of `url`.

    Raises:
        koji.GenericError: in koji's words (contract 5.1), a password hidden.
        koji.BuildError: host, module or revision is made to be something else than that.
    """
    try:
        scm = SCM(url, allow_password=allow_password)
    except koji.GenericError as error:
        # None: the error that is replaced says the password.
        raise type(error)(hide_password(str(error), url)) from None
    except ValueError as error:
        raise koji.GenericError(f"Invalid SCM URL: {hide_password(url, url)!r}: {error}") from None
    _refuse_tricks(scm)
    return scm


def user_and_password(scm: SCM) -> tuple[str, str | None]:
    """Return the user of a parsed URL, "" if it names none, and the password as the server should get it."""
    user, colon, password = (scm.user or "").partition(":")
    return user, urllib.parse.unquote(password) if colon else None


def hide_password(text: str, url: str) -> str:
    """Return `text` without the password that `url` holds, however the URL is made."""
    # Up to the last "@", as a URL with two of them is quoted in the error about that.
    authority = re.match(r"[^:]*://([^/?#]*)@", url)
    if authority is None or ":" not in authority[1]:
        return text
    password = authority[1].partition(":")[2]
    # koji's error about two "@" quotes the pieces between them.
    secrets = {password, urllib.parse.unquote(password), password.partition("@")[0]}
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            text = text.replace(f":{secret}", f":{HIDDEN}")
    return text


def _refuse_tricks(scm: SCM) -> None:
    shown = hide_password(scm.url, scm.url)
    user, password = user_and_password(scm)
    if _CONTROL.search(scm.url) or _CONTROL.search(urllib.parse.unquote(scm.host + scm.repository)):
        raise koji.BuildError(f"SCM URL {shown!r} holds control characters")
    if password is not None and _CONTROL.search(password):
        raise koji.BuildError(f"the password in SCM URL {shown} holds control characters")
    # git and svn decode the first two; of a revision git is given what comes after `origin/`.
    seen = {
        "user": (user, urllib.parse.unquote(user)),
        "host": (scm.host, urllib.parse.unquote(scm.host)),
        "module": (scm.module,),
        "revision": (scm.revision, scm.revision.removeprefix("origin/")),
    }
    for what, values in seen.items():
        if any(value.startswith("-") for value in values):
            raise koji.BuildError(f"{what} {values[-1]!r} of SCM URL {shown} begins with a hyphen")
    if ".." in scm.module.split("/"):
        raise koji.BuildError(f"module {scm.module!r} of SCM URL {shown} leads out of the repository")
