"""The commands of a checkout, one after the other as kojid runs them (contract 5.4). Pure: a parsed URL in, commands out.

Submodules are not fetched; files of git LFS stay pointers unless the image's own git configuration says otherwise: both as
with kojid.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlunsplit

import koji
from koji.daemon import SCM

from koji_adjutant.scm.source_url import hide_password, user_and_password

SOURCE_HEAD = "KOJI_FETCH_HEAD"


@dataclass(frozen=True)
class Command:
    """One command. `shown` is what the log and errors say of it; the log does not mention a `quiet` one."""

    argv: tuple[str, ...]
    shown: str
    quiet: bool = False
    counts: str = ""
    """The git revision whose files are counted first: it is about to be written out."""
    inside: str = ""
    """Directory to change to before, if it is another than that of the command before."""


@dataclass(frozen=True)
class CheckoutPlan:
    """All commands of one checkout, in their order, to be run in a directory `scmdir`."""

    kind: str
    """koji's `scmtype`, which is what errors call it."""
    module: Command
    source: str
    """The checked-out directory that the caller is after, relative to `scmdir`."""
    clone: str = ""
    """Where git's own directory is, relative to `scmdir`; empty for the others."""
    update: tuple[Command, ...] = ()
    """In the clone: brings it to the revision. If one fails, `recovery` is run instead (short hashes)."""
    recovery: Command | None = None
    common: tuple[Command, ...] = ()
    login: Command | None = None
    """Comes first: tells the program the password, so that it stands in no other command and in no checkout."""
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def commands(self) -> tuple[Command, ...]:
        """All of them; errors name one by its place here."""
        return tuple(filter(None, (self.login, self.module, *self.update, self.recovery, *self.common)))

    @property
    def beside(self) -> str:
        """The directory that holds the source directory, relative to `scmdir`; there a link `common` is expected."""
        return posixpath.dirname(self.source) or "."

    @property
    def common_link(self) -> str:
        """Where that link leads to: kojid's way up to `scmdir`."""
        return "../" * len(self.beside.split("/")) + "common"


def plan_checkout(scm: SCM, scmdir: str) -> CheckoutPlan:
    """Plan the checkout of a parsed and allowed URL into the directory `scmdir`, an absolute path.

    Raises:
        koji.BuildError: the scheme needs a user and the URL has none.
    """
    if scm.scmtype.endswith("+SSH") and not scm.user:
        raise koji.BuildError(f"No user specified for repository access scheme: {scm.scheme}")
    kinds = {"CVS": _cvs, "GIT": _git, "SVN": _svn}
    return kinds[scm.scmtype.partition("+")[0]](scm, scmdir)


def recorded_source(scm: SCM, commit: str) -> dict[str, str]:
    """Return what the hub records of a checkout: kojid's `get_source`, a password hidden.

    `commit` is what git's HEAD was in the end, empty for the other systems.
    """
    url = hide_password(scm.url, scm.url)
    if not scm.scmtype.startswith("GIT"):
        return {"url": url, "source": url}
    return {"url": url, "source": urlunsplit((scm.scheme[:-3], scm.host, scm.repository, scm.module, commit))}


def source_command(words: list[str]) -> list[str]:
    """Return the command that fetches what the SCM does not hold: one word is for the shell, as mock has it."""
    return ["/bin/sh", "-c", words[0]] if len(words) == 1 else list(words)


def _git(scm: SCM, scmdir: str) -> CheckoutPlan:
    url = _git_url(scm)
    name, common = _git_names(scm, url)
    revision = scm.revision.removeprefix("origin/")
    return CheckoutPlan(
        kind=scm.scmtype,
        module=_command("git", "clone", "-n", url, f"{scmdir}/{name}"),
        update=(
            _command("git", "fetch", "origin", f"{revision}:{SOURCE_HEAD}"),
            _command("git", "reset", "--hard", SOURCE_HEAD, counts=SOURCE_HEAD),
        ),
        recovery=_command("git", "reset", "--hard", scm.revision, counts=scm.revision),
        common=_git_common(common) if scm.use_common else (),
        source=posixpath.join(name, scm.module.lstrip("/")).rstrip("/"),
        clone=name,
    )


def _git_common(url: str) -> tuple[Command, ...]:
    # kojid's `git clone URL common`, with a look at the size in between.
    clone = Command(("git", "clone", "-n", url, "common"), f"git clone {url} common")
    return clone, Command(("git", "reset", "--quiet", "--hard"), clone.shown, True, counts="HEAD", inside="common")


def _command(*argv: str, counts: str = "") -> Command:
    return Command(argv, " ".join(argv), counts=counts)


def _git_url(scm: SCM) -> str:
    scheme = scm.scheme
    if scm.scmtype == "GIT" and "+" in scheme:
        scheme = scheme.partition("+")[2]
    # The password goes to git another way (`environment`): git writes this URL into the clone.
    user, _ = user_and_password(scm)
    return f"{scheme}{user}{'@' if user else ''}{scm.host}{scm.repository}"


def _git_names(scm: SCM, url: str) -> tuple[str, str]:
    """Return the directory to clone into and the URL of the common repository beside this one."""
    for suffix in ("/.git", ".git"):
        if scm.repository.endswith(suffix):
            common = posixpath.dirname(url.removesuffix(suffix)) + "/common" + suffix
            return posixpath.basename(scm.repository.removesuffix(suffix)), common
    return posixpath.basename(scm.repository), posixpath.dirname(url) + "/common"


def _cvs(scm: SCM, scmdir: str) -> CheckoutPlan:
    user, password = user_and_password(scm)
    login = None
    if scm.scmtype == "CVS+SSH":
        root = f":ext:{user}@{scm.host}:{scm.repository}"
        env = {"CVS_RSH": "ssh"}
    else:
        root = f":pserver:{user or 'anonymous'}@{scm.host}:{scm.repository}"
        env = {}
    checkout = ("cvs", "-d", root, "checkout")
    if password is not None and scm.scmtype == "CVS":
        secret = f":pserver:{user}:{password}@{scm.host}:{scm.repository}"
        login = Command(("cvs", "-d", secret, "login"), f"cvs -d {root} login", quiet=True)
        env = {"CVS_PASSFILE": f"{posixpath.dirname(scmdir)}/cvspass"}
    return CheckoutPlan(
        kind=scm.scmtype,
        module=_command(*checkout, "-r", scm.revision, scm.module),
        common=(_command(*checkout, "common"),) if scm.use_common else (),
        source=scm.module.strip("/"),
        env=env,
        login=login,
    )


def _svn(scm: SCM, _scmdir: str) -> CheckoutPlan:
    server = f"{scm.scheme.partition('+')[2] or scm.scheme}{scm.host}{scm.repository}"
    if scm.scmtype == "SVN+SSH":
        user, _ = user_and_password(scm)
        server = f"svn+ssh://{user}@{scm.host}{scm.repository}"
    return CheckoutPlan(
        kind=scm.scmtype,
        module=_command("svn", "checkout", "-r", scm.revision, f"{server}/{scm.module}", scm.module),
        common=(_command("svn", "checkout", f"{server}/common"),) if scm.use_common else (),
        source=scm.module.strip("/"),
    )
