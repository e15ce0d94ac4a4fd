"""The command `koji-adjutant`: dispatch, errors, exit codes."""

import re
import shlex
import sys
import types

import pytest

from koji_adjutant.cli import main as main_module
from koji_adjutant.cli.main import COMMANDS, Command, error_text, exit_code, full_parser, main
from koji_adjutant.errors import ConfigurationError, ContainerError, HubError, RuntimeUnavailable, UsageError


@pytest.fixture
def command(monkeypatch):
    """Return a function that makes `koji-adjutant try` do what is given."""
    monkeypatch.setattr(main_module, "configure_logging", lambda *_args: None)

    def make(act, infrastructure_exit=None):
        module = types.ModuleType("try_command")
        module.add_arguments = lambda parser: parser.add_argument("--word")
        module.run = act
        module.EXAMPLES = "koji-adjutant try --word 7\n"
        monkeypatch.setitem(sys.modules, "try_command", module)
        tried = Command("try_command", "tries", {0: "done", 9: "odd"}, infrastructure_exit)
        monkeypatch.setattr(main_module, "COMMANDS", {"try": tried})

    return make


def failing(error):
    """Return a subcommand that raises `error`."""

    def act(_arguments):
        raise error

    return act


def test_dispatch(command):
    """The subcommand gets its own arguments and gives the exit code."""
    command(lambda arguments: int(arguments.word))
    assert main(["try", "--word", "7"]) == 7


@pytest.mark.parametrize("argv", [[], ["nonsense"], ["--nonsense"], ["check", "--nonsense"], ["config", "extra"]])
def test_usage(argv, capsys):
    """What cannot be understood is exit code 2 with the usage on stderr."""
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage: koji-adjutant" in capsys.readouterr().err


def test_help_names_all_commands(capsys):
    """--help lists every subcommand."""
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(name in shown and command.summary in shown for name, command in COMMANDS.items())


def test_help_of_a_command(command, capsys):
    """Its help has examples and what its exit codes mean."""
    command(lambda _arguments: 0)
    with pytest.raises(SystemExit):
        main(["try", "--help"])
    shown = capsys.readouterr().out
    assert "Tries." in shown
    assert "  koji-adjutant try --word 7\n" in shown
    assert "  9    odd\n" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_command_lines(name):
    """Each example of each command is one that its parser takes."""
    examples = COMMANDS[name].load().EXAMPLES.splitlines()
    assert examples
    for line in examples:
        words = shlex.split(re.split(r" [|>&]", line)[0])
        assert words[:2] == ["koji-adjutant", name]
        full_parser().parse_args(words[1:])


def test_version(capsys):
    """--version prints the version."""
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("koji-adjutant 0.")


@pytest.mark.parametrize(
    ("error", "plain", "build"),
    [
        (ConfigurationError("x"), 1, 1),
        (UsageError("x"), 2, 2),
        (HubError("x"), 1, 75),
        (RuntimeUnavailable("x"), 1, 75),
        (ContainerError("x"), 1, 75),
    ],
)
def test_exit_codes(command, error, plain, build):
    """Errors of hub and runtime are 75 where the subcommand says so, all others have their own code."""
    assert exit_code(error, Command("m", "s")) == plain
    command(failing(error), infrastructure_exit=75)
    assert main(["try"]) == build


def test_build_tells_infrastructure_apart():
    """`build` is a subcommand that does."""
    assert COMMANDS["build"].infrastructure_exit == 75


def test_error_is_printed(command, capsys):
    """An error is its three parts on stderr, nothing on stdout, no traceback."""
    command(failing(ConfigurationError("no file", details="a.yaml", resolution="Make it.")))
    assert main(["try"]) == 1
    printed = capsys.readouterr()
    assert printed.err == "koji-adjutant: no file\na.yaml\nMake it.\n"
    assert printed.out == ""


def test_error_without_details():
    """Empty parts leave no empty lines."""
    assert error_text(HubError("gone")) == "koji-adjutant: gone\n"


def test_interrupt(command):
    """Ctrl-C is 130 without a traceback."""
    command(failing(KeyboardInterrupt()))
    assert main(["try"]) == 130
