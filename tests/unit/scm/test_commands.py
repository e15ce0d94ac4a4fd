"""The commands of a checkout are those that koji's own class runs, for every scheme and form of a URL."""

import os

import koji
import koji.daemon
import pytest

from koji_adjutant.scm.commands import plan_checkout, recorded_source, source_command
from koji_adjutant.scm.source_url import parse_source

URLS = [
    "git://host/a/repo#main",
    "git://host/a/repo.git?sub/dir#origin/main",
    "git+http://host:80/a/repo/.git#1234567",
    "git+https://me@host/repo#refs/heads/x",
    "git+rsync://host/repo#r",
    "git+ssh://me@host/a/repo.git?mod#r",
    "git+ssh://me@host/a/repo/.git#origin/x",
    "git+https://host/a%20b/repo#r",
    "cvs://host/cvs/root?a/module#TAG",
    "cvs://me@host/cvs/root?module#TAG",
    "cvs+ssh://me@host/cvs/root?module#TAG",
    "svn://host/svn/trunk?pkg/name#12",
    "svn+http://host/svn?name#HEAD",
    "svn+https://me@host/svn?name#HEAD",
    "svn+ssh://me@host/svn?name#12",
]


def kojis_commands(scm, scmdir, monkeypatch, *, fetch_fails):
    """Let koji's class check out, with a stand-in for the commands; return them and the source directory."""
    commands = []

    def run(_session, _path, args, *_more, cwd=None, env=None, **_options):
        os.makedirs(os.path.join(scmdir, "common"), exist_ok=True)
        commands.append((" ".join(args), os.path.relpath(cwd, scmdir), env))
        return int(fetch_fails and args[1] == "fetch")

    monkeypatch.setattr(koji.daemon, "log_output", run)
    monkeypatch.setattr(os, "symlink", lambda target, place: commands.append((f"link {target}", place, None)))
    source = scm.checkout(scmdir, logfile=f"{scmdir}/checkout.log")
    return commands, source


@pytest.mark.parametrize("common", [False, True])
@pytest.mark.parametrize("url", URLS)
def test_commands_are_kojis(url, common, tmp_path, monkeypatch):
    """Commands, environment, source directory and the link to common, where all goes well and where git's fetch fails."""
    scm = parse_source(url)
    scm.use_common = common
    scmdir = str(tmp_path)
    plan = plan_checkout(scm, scmdir)
    for fetch_fails in (False, True):
        theirs, source = kojis_commands(scm, scmdir, monkeypatch, fetch_fails=fetch_fails)
        link = [command for command in theirs if command[0].startswith("link ")]
        ran = [command for command in theirs if command not in link]
        update = [plan.update[0], plan.recovery] if fetch_fails and plan.recovery else list(plan.update)
        ours = [plan.module, *update, *plan.common]
        assert [command.shown for command in ours if not command.quiet] == [text for text, _, _ in ran]
        assert os.path.normpath(source) == os.path.join(scmdir, plan.source)
        assert [where for _, where, _ in ran[1 : 1 + len(update)]] == [plan.clone] * len(update)
        assert {key: value for _, _, env in ran for key, value in (env or {}).items()} == plan.env
        if link:
            assert link[0][0] == f"link {plan.common_link}"


@pytest.mark.parametrize("scheme", ["cvs+ssh", "git+ssh", "svn+ssh"])
def test_ssh_needs_a_user(scheme):
    """Kojid's words where a URL with ssh names nobody."""
    with pytest.raises(koji.BuildError) as error:
        plan_checkout(parse_source(f"{scheme}://host/repo?mod#r"), "/s")
    assert str(error.value) == f"No user specified for repository access scheme: {scheme}://"


def test_passwords_are_in_no_command_but_login():
    """Git gets it another way; cvs by a login, which nobody is shown and after which it stands in no checkout."""
    git = plan_checkout(parse_source("git+https://me:word@host/repo#r", allow_password=True), "/s")
    assert git.login is None
    assert git.module.argv == ("git", "clone", "-n", "https://me@host/repo", "/s/repo")
    cvs = plan_checkout(parse_source("cvs://me:w%6Frd@host/root?mod#r", allow_password=True), "/work/s")
    assert cvs.login.argv == ("cvs", "-d", ":pserver:me:word@host:/root", "login")
    assert cvs.login.quiet
    assert cvs.env == {"CVS_PASSFILE": "/work/cvspass"}
    assert [command.shown for command in cvs.commands if "word" in command.shown] == []
    assert [command for command in cvs.commands[1:] if "word" in str(command.argv)] == []


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("git://me@host/a/repo#main", "git://host/a/repo#0123"),
        ("git+https://host:8/a/repo.git?mod#main", "git+https://host:8/a/repo.git?mod#0123"),
        ("git+ssh://me@host/a#main", "git+ssh://host/a#0123"),
        ("svn+ssh://me@host/svn?name#12", "svn+ssh://me@host/svn?name#12"),
    ],
)
def test_recorded_source(url, source):
    """Kojid's get_source: the commit for git, the URL for the others."""
    assert recorded_source(parse_source(url), "0123") == {"url": url, "source": source}


def test_recorded_source_holds_no_password():
    """The hub shows it to everybody."""
    scm = parse_source("git+https://me:word@host/a#r", allow_password=True)
    assert recorded_source(scm, "0123") == {"url": "git+https://me:***@host/a#r", "source": "git+https://host/a#0123"}


def test_one_word_is_for_the_shell():
    """Mock runs a single word of a command by the shell, more of them as they are."""
    assert source_command(["fedpkg sources"]) == ["/bin/sh", "-c", "fedpkg sources"]
    assert source_command(["make", "sources"]) == ["make", "sources"]
