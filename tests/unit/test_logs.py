"""One log for koji's records and ours, with secrets hidden."""

import email
import email.policy
import io
import json
import logging
import re
import socketserver
import threading
from pathlib import Path

import pytest
import structlog

from koji_adjutant import logs
from koji_adjutant.logs import configure_logging

LEVELS = {"koji": logging.DEBUG, "koji_adjutant": logging.INFO}
URL = "http://h/kojihub?session-id=4&session-key=4-abc&callnum=3"


@pytest.fixture(autouse=True)
def _restore():
    """Leave the process's logging as it was."""
    root = logging.getLogger()
    names = ["", "koji", "koji_adjutant", "koji_adjutant.tasks"]
    before = {name: logging.getLogger(name).level for name in names}
    yield
    logs._replace_handlers([])
    structlog.reset_defaults()
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)
    assert logs._OURS == []
    assert root.handlers is not None


@pytest.fixture
def log():
    """Return a logger of ours."""
    return structlog.get_logger("koji_adjutant.tests")


def written(log_format, act, **kwargs):
    """Return what `act` writes to the stream."""
    stream = io.StringIO()
    configure_logging(log_format, LEVELS, stream, **kwargs)
    act()
    return stream.getvalue()


def test_kojid_form_on_stderr(log):
    """On stderr a record has kojid's form: time, level, pid, logger and line; values follow the event."""
    text = written("kojid", lambda: log.info("task.opened", task_id=5, text="a b", empty=""))
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[INFO\] \{\d+\} koji_adjutant\.tests:\d+ "
        r"task\.opened task_id=5 text='a b' empty=''\n",
        text,
    )


def test_kojids_own_records(log):
    """Records of koji's library go the same way, arguments put in."""
    text = written("kojid", lambda: logging.getLogger("koji.TaskManager").debug("task %i of %s", 7, "x"))
    assert text.endswith("task 7 of x\n")
    assert "[DEBUG]" in text
    assert "koji.TaskManager:" in text


def test_file_has_kojids_form(log, tmp_path):
    """The file keeps kojid's form whatever stderr has, and survives being rotated."""
    path = tmp_path / "kojid.log"

    def act():
        log.info("one")
        path.rename(tmp_path / "kojid.log.1")
        log.info("two")

    written("json", act, log_file=str(path))
    assert re.fullmatch(r"[-\d]+ [:,\d]+ \[INFO\] koji_adjutant\.tests: one\n", (tmp_path / "kojid.log.1").read_text())
    assert path.read_text().endswith("koji_adjutant.tests: two\n")


def test_file_that_cannot_be_written(log, tmp_path):
    """A log file that cannot be written is left out in silence."""
    assert "one" in written("kojid", lambda: log.info("one"), log_file=str(tmp_path / "none" / "kojid.log"))
    assert "one" in written("kojid", lambda: log.info("one"), log_file=str(tmp_path))


def test_json(log):
    """Each line is one JSON object with bound values, level, logger and time."""

    def act():
        with structlog.contextvars.bound_contextvars(task_id=5, method="buildArch"):
            log.info("step.started", step="rpmbuild")
            logging.getLogger("koji.build").warning("hm")

    first, second = [json.loads(line) for line in written("json", act).splitlines()]
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "event": "step.started",
        "step": "rpmbuild",
        "task_id": 5,
        "method": "buildArch",
        "level": "info",
        "logger": "koji_adjutant.tests",
    }
    assert (second["event"], second["task_id"], second["logger"]) == ("hm", 5, "koji.build")


@pytest.mark.parametrize("log_format", ["kojid", "console", "json"])
def test_exceptions(log, log_format):
    """A traceback is written once, with its secrets hidden."""

    def act():
        try:
            Path(URL).read_bytes()
        except FileNotFoundError:
            log.exception("call.failed")

    text = written(log_format, act)
    assert text.count("No such file") == 1
    assert text.count("Traceback") == 1
    assert "4-abc" not in text


@pytest.mark.parametrize("log_format", ["kojid", "console", "json"])
def test_secrets(log, log_format, tmp_path):
    """Secrets are hidden in events, values, nested values and koji's own records, on stderr and in the file."""

    def act():
        log.info("a https://u:hunter2@h/x", password="hunter2", opts={"session-key": "hunter2", "url": URL})
        logging.getLogger("koji").debug("POST %s", URL)

    path = tmp_path / "log"
    for text in (written(log_format, act, log_file=str(path)), path.read_text()):
        assert "hunter2" not in text
        assert "4-abc" not in text
        assert "callnum=3" in text


def test_levels(log):
    """Each logger has its level; all others log from WARNING on."""

    def act():
        log.debug("no")
        log.info("yes")
        logging.getLogger("urllib3").info("no")
        logging.getLogger("urllib3").warning("loud")

    text = written("kojid", act)
    assert "no" not in re.sub("^.*? ", "", text)
    assert "yes" in text
    assert "loud" in text


def test_lines_cannot_be_forged(log):
    """A value with a newline stays on its line."""
    text = written("kojid", lambda: log.info("x", value="a\n2026-01-01 00:00:00,000 [ERROR] koji: forged"))
    assert text.count("\n") == 1


def test_again_replaces(log):
    """Setting up twice does not write twice."""
    first = io.StringIO()
    configure_logging("kojid", LEVELS, first)
    assert written("kojid", lambda: log.info("once")).count("once") == 1
    assert first.getvalue() == ""


class _MailServer(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 here\r\n")
        in_data = False
        for line in self.rfile:
            self.server.lines.append(line.decode())
            if in_data:
                in_data = line != b".\r\n"
                if not in_data:
                    self.wfile.write(b"250 ok\r\n")
            elif line.upper().startswith(b"DATA"):
                in_data = True
                self.wfile.write(b"354 go\r\n")
            elif line.upper().startswith(b"QUIT"):
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


def test_errors_by_mail(log, monkeypatch):
    """Each ERROR goes by mail to all admin addresses, nothing below does."""
    with socketserver.TCPServer(("127.0.0.1", 0), _MailServer) as server:
        server.lines = []
        monkeypatch.setattr(logs, "MAIL_SERVER", server.server_address)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def act():
            log.warning("not.this")
            log.error("hub.lost", password="hunter2")

        written("kojid", act, admin_emails="a@example.com,b@example.com")
        server.shutdown()
        thread.join()
    mail = "".join(server.lines)
    assert mail.lower().count("rcpt to:") == 2
    # How it is encoded depends on the length of its lines, and that on the process id.
    message = email.message_from_string(mail.partition("data\r\n")[2], policy=email.policy.SMTP)
    assert "[ERROR] hub.lost password=***" in message.get_content()
    assert "not.this" not in message.get_content()
    assert ": error notice" in message["Subject"]


def test_mail_server_away(log, monkeypatch, capsys):
    """A mail that cannot be sent disturbs nothing."""
    monkeypatch.setattr(logs, "MAIL_SERVER", ("127.0.0.1", 1))
    assert "hub.lost" in written("kojid", lambda: log.error("hub.lost"), admin_emails="a@example.com")
    assert capsys.readouterr().err == ""
