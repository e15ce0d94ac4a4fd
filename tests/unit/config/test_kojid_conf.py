"""kojid.conf is read as kojid reads it (contract 1.1, 1.3, 1.4)."""

import dataclasses
import logging

import pytest

from koji_adjutant.config.kojid_cli import ensure_workdir, load_kojid_options
from koji_adjutant.config.kojid_options import KojidOptions, log_levels
from koji_adjutant.errors import AdjutantError, ConfigurationError, UsageError

NEEDED = "server = http://hub.example.com/kojihub\ntopurl = http://hub.example.com/kojifiles\n"


@pytest.fixture
def load(tmp_path):
    """Return a function that writes `[kojid]` with the lines given and loads it."""

    def run(lines="", *argv, head="[kojid]\n" + NEEDED, certs=None):
        path = tmp_path / "kojid.conf"
        path.write_text(head + lines, encoding="utf-8")
        return load_kojid_options(["-c", str(path), *argv], cert_defaults=certs or {})

    return run


def refusal(load, *args, **kwargs) -> AdjutantError:
    """Return the error of a load that must fail."""
    with pytest.raises(AdjutantError) as caught:
        load(*args, **kwargs)
    return caught.value


def test_defaults_are_kojids(load):
    """Nothing set but the two needed options leaves every default of the contract's table."""
    options = load()
    assert (options.sleeptime, options.maxjobs, options.minspace) == (15, 10, 8192)
    assert (options.topdir, options.workdir) == ("/mnt/koji", "/var/tmp/koji")
    assert (options.retry_interval, options.max_retries, options.timeout) == (60, 120, None)
    assert options.host_principal_format == "compile/%s@EXAMPLE.COM"
    assert options.mock_bootstrap_image is False
    assert options.plugin == ()
    assert options.build_arch_can_fail is False
    assert options.foreground is False


INTEGERS = [
    "sleeptime",
    "maxjobs",
    "minspace",
    "retry_interval",
    "max_retries",
    "offline_retry_interval",
    "failed_buildroot_lifetime",
    "timeout",
    "rpmbuild_timeout",
    "oz_install_timeout",
    "task_avail_delay",
    "buildroot_basic_cleanup_delay",
    "buildroot_final_cleanup_delay",
]


@pytest.mark.parametrize("name", INTEGERS)
def test_integers(load, name):
    """Each integer option is parsed, and refused in kojid's words and with exit code 1 when it is none."""
    assert getattr(load(f"{name} = 77\n"), name) == 77
    error = refusal(load, f"{name} = many\n")
    assert error.brief == f"value for {name} option must be a valid integer"
    assert error.exit_code == 1


BOOLEANS = [
    "offline_retry",
    "use_createrepo_c",
    "createrepo_skip_stat",
    "createrepo_update",
    "use_fast_upload",
    "support_rpm_source_layout",
    "build_arch_can_fail",
    "no_ssl_verify",
    "log_timestamps",
    "allow_noverifyssl",
    "allowed_scms_use_config",
    "allowed_scms_use_policy",
    "allow_password_in_scm_url",
    "distrepo_skip_stat",
    "copy_old_repodata",
]


@pytest.mark.parametrize("name", BOOLEANS)
@pytest.mark.parametrize(("text", "value"), [("yes", True), ("Off", False), ("1", True), ("FALSE", False)])
def test_booleans(load, name, text, value):
    """Each truth value takes ConfigParser's words in any case."""
    assert getattr(load(f"{name} = {text}\n"), name) is value


def test_no_boolean(load):
    """A truth value that is none is refused with kojid's reason."""
    assert "Not a boolean: maybe" in refusal(load, "use_fast_upload = maybe\n").brief


@pytest.mark.parametrize("text", ["False", "True", "0"])
def test_bootstrap_image_is_text(load, text):
    """Any text turns mock_bootstrap_image on, as in kojid; only the empty one leaves it off."""
    assert load(f"mock_bootstrap_image = {text}\n").mock_bootstrap_image is True
    assert load("mock_bootstrap_image =\n").mock_bootstrap_image is False


@pytest.mark.parametrize("name", ["plugin", "plugins"])
def test_plugins(load, name):
    """Both spellings are accepted and split on blanks; the command line replaces them."""
    assert load(f"{name} = runroot  save_failed_tree\n").plugin == ("runroot", "save_failed_tree")
    assert load(f"{name} = runroot\n", "--plugin", "a", "--plugin", "b").plugin == ("a", "b")


def test_limits(load):
    """RLIMIT_* in any case are kept as text under their upper-case names."""
    assert load("RLIMIT_NOFILE = 10 20\nrlimit_core = 0\n").rlimits == {"RLIMIT_NOFILE": "10 20", "RLIMIT_CORE": "0"}


def test_several_topurls(load):
    """All URLs are kept in `topurls`, the first one is `topurl`."""
    options = load("", "--topurl", "http://a/x  http://b/y")
    assert (options.topurl, options.topurls) == ("http://a/x", ("http://a/x", "http://b/y"))


def test_no_interpolation(load):
    """A percent sign means itself."""
    assert load("host_principal_format = b/%s@X\nxz_options = %(x)s\n").xz_options == "%(x)s"


def test_lists(load):
    """Globs are split; allowed_scms stays the text koji's SCM class splits."""
    options = load("literal_task_arches = i?86 arm*\nmaven_repo_ignore = *.x\nallowed_scms = a:/b c:/d:no\n")
    assert options.literal_task_arches == ("i?86", "arm*")
    assert options.maven_repo_ignore == ("*.x",)
    assert options.allowed_scms == "a:/b c:/d:no"


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("[other]\n", "invalid section found in config file: other"),
        ("keepalive = 1\n", "unknown config option: keepalive"),
        ("ca = /x\n", "unknown config option: ca"),
        ("anon_retry = 1\n", "unknown config option: anon_retry"),
        ("mockpath = /usr/bin/mock\n", "unknown config option: mockpath"),
        ("debug = 1\n", "unknown config option: debug"),
        ("topurls = x\n", "unknown config option: topurls"),
    ],
)
def test_unknown(load, lines, text):
    """Unknown sections and options are refused in kojid's words, exit code 1."""
    error = refusal(load, lines)
    assert isinstance(error, ConfigurationError)
    assert (error.brief, error.exit_code) == (text, 1)


def test_nearest_option(load):
    """The remedy names the option that was probably meant."""
    assert "Did you mean maxjobs?" in refusal(load, "maxjob = 3\n").resolution


@pytest.mark.parametrize(
    "text", ["sleeptime = 5\n", "[kojid]\nsleeptime = 1\nsleeptime = 2\n", "[kojid]\nnonsense\n", "[kojid]\n[kojid]\n"]
)
def test_broken_file(load, tmp_path, text):
    """A file ConfigParser cannot take is one error that names file and line, not a traceback."""
    error = refusal(load, head=text)
    assert "kojid.conf" in error.brief
    assert "line" in error.brief


def test_not_utf8(tmp_path):
    """Bytes that are no UTF-8 are named."""
    path = tmp_path / "kojid.conf"
    path.write_bytes(b"[kojid]\nvendor = \xff\n")
    with pytest.raises(ConfigurationError, match="not UTF-8 at byte"):
        load_kojid_options(["-c", str(path)])


def test_directory(tmp_path):
    """A directory means its *.conf in order of name; later ones win, other names are left alone."""
    (tmp_path / "20.conf").write_text("[kojid]\nmaxjobs = 2\n")
    (tmp_path / "10.conf").write_text("[kojid]\nmaxjobs = 1\nsleeptime = 9\n" + NEEDED)
    (tmp_path / "30.conf.rpmsave").write_text("[broken\n")
    options = load_kojid_options(["-c", str(tmp_path)], cert_defaults={})
    assert (options.maxjobs, options.sleeptime) == (2, 9)


def test_missing_file_is_empty(tmp_path):
    """A missing file counts as empty, so the command line alone can do; without it the remedy names the file."""
    path = str(tmp_path / "none.conf")
    options = load_kojid_options(["-c", path, "-s", "http://h", "--topurl", "http://t"], cert_defaults={})
    assert (options.server, options.topurl, options.configfile) == ("http://h", "http://t", path)
    with pytest.raises(UsageError) as caught:
        load_kojid_options(["-c", path], cert_defaults={})
    assert caught.value.brief == "Usage: kojid [options]\n\nkojid: error: the server option is required"
    assert f"{path} does not exist" in caught.value.resolution


def test_topurl_required(load):
    """`topurl` is asked for after `server`, exit code 2."""
    error = refusal(load, head="[kojid]\nserver = http://h\n")
    assert error.brief.endswith("kojid: error: the topurl option is required")
    assert error.exit_code == 2


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["extra"], "incorrect number of arguments"),
        (["--maxjobs", "x"], "option --maxjobs: invalid integer value: 'x'"),
        (["--once"], "no such option: --once"),
        (["-c"], "-c option requires 1 argument"),
    ],
)
def test_usage_errors(argv, text):
    """The errors of optparse keep their words and exit code 2."""
    with pytest.raises(UsageError) as caught:
        load_kojid_options(argv)
    assert caught.value.brief == f"Usage: kojid [options]\n\nkojid: error: {text}"


def test_help(capsys):
    """`--help` prints and ends with 0; obsolete options are not shown."""
    with pytest.raises(SystemExit) as caught:
        load_kojid_options(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert "--force-lock" in shown
    assert "--debug-mock" not in shown
    assert "--pkgurl" not in shown


def test_command_line_wins(load):
    """Options of the command line beat the file, an empty text included."""
    options = load(
        "maxjobs = 3\nuser = a\ntopdir = /t\nadmin_emails = x@y\n",
        *("--maxjobs", "4", "--user", "", "--topdir", "/u", "--admin-emails", "q@z", "--chroot-tmpdir", "/c"),
        *("-f", "--force-lock", "-v", "-d", "--debug-task", "--debug-xmlrpc", "--skip-main"),
    )
    assert (options.maxjobs, options.user, options.topdir) == (4, "", "/u")
    assert (options.admin_emails, options.chroot_tmpdir) == ("q@z", "/c")
    assert options.foreground
    assert options.force_lock
    assert options.verbose
    assert options.debug
    assert options.debug_task
    assert options.debug_xmlrpc
    assert options.skip_main


def test_obsolete_options_warn(load):
    """Obsolete options are accepted and named, whether given in file or on the command line."""
    assert load("pkgurl = x\n", "--debug-mock").warnings == (
        "The pkgurl option is obsolete",
        "The debug-mock option is obsolete",
    )
    assert load().warnings == ()


def test_default_certificates(load, tmp_path):
    """Both certificates default to their usual places only if these exist and nothing is set, an empty text included."""
    present = tmp_path / "client.crt"
    present.touch()
    certs = {"cert": str(present), "serverca": str(tmp_path / "missing.crt")}
    options = load(certs=certs)
    assert (options.cert, options.serverca) == (str(present), None)
    assert load("cert = /else\n", certs=certs).cert == "/else"
    assert load("cert =\n", certs=certs).cert == ""


def test_every_option_is_read(load):
    """No option of the dataclass is left out of the parser: each one can be set and is seen."""
    special = {"server", "topurl", "topurls", "rlimits", "plugin", "literal_task_arches", "maven_repo_ignore"}
    special |= {"mock_bootstrap_image", *INTEGERS, *BOOLEANS}
    command_line = {"configfile", "foreground", "force_lock", "verbose", "debug", "debug_task", "debug_xmlrpc"}
    command_line |= {"skip_main", "warnings"}
    names = [field.name for field in dataclasses.fields(KojidOptions) if field.name not in special | command_line]
    options = load("".join(f"{name} = /text\n" for name in names))
    assert {name: getattr(options, name) for name in names} == dict.fromkeys(names, "/text")


def test_passwords_are_not_in_repr(load):
    """The options can be logged as a whole without showing a password."""
    options = load("password = hunter2\nsmtp_pass = hunter3\n")
    assert options.password == "hunter2"
    assert "hunter" not in repr(options)


@pytest.mark.parametrize(
    ("line", "argv", "koji"),
    [
        ("", [], logging.WARNING),
        ("log_level = ERROR\n", [], logging.ERROR),
        ("log_level = ERROR\n", ["-v"], logging.INFO),
        ("log_level = ERROR\n", ["-v", "-d"], logging.DEBUG),
    ],
)
def test_log_levels(load, line, argv, koji):
    """log_level, -v, -d: each beats the one before."""
    levels = log_levels(load(line, *argv))
    assert levels == {"koji": koji, "koji_adjutant": koji}


def test_debug_task(load):
    """--debug-task opens the task handlers' loggers alone."""
    levels = log_levels(load("", "--debug-task"))
    assert levels["koji"] == logging.WARNING
    assert levels["koji.build.BaseTaskHandler"] == levels["koji_adjutant.tasks"] == logging.DEBUG


@pytest.mark.parametrize("name", ["LOUD", "info", "raiseExceptions", "Handler"])
def test_invalid_log_level(load, name):
    """A level that is none is refused in kojid's words; names of logging that are no level count as none."""
    with pytest.raises(ConfigurationError) as caught:
        log_levels(load(f"log_level = {name}\n"))
    assert caught.value.brief == f"Invalid log level: {name}"


def test_workdir_is_made(load, tmp_path):
    """The work directory is made with its parents, once or twice; one that cannot be is an error that names it."""
    options = load("", "--workdir", str(tmp_path / "a" / "b"))
    ensure_workdir(options)
    ensure_workdir(options)
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"workdir .*/file/x cannot be made"):
        ensure_workdir(load("", "--workdir", str(tmp_path / "file" / "x")))
