"""The log: structlog on top of the standard library's, so that koji's own records and ours go the same way.

On stderr in one of three forms; beside it, always in kojid's form, the file kojid wrote (contract 1.9). Names of loggers and
levels are the standard library's. Bind `task_id`, `method`, `host`, `container`, `step` with
`structlog.contextvars.bound_contextvars`: every record of that thread carries them.
"""

from __future__ import annotations

import getpass
import logging
import logging.handlers
import os
import smtplib
import socket
import sys
from collections.abc import Mapping
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from koji_adjutant.config.secrets import masked

LogFormat = Literal["kojid", "console", "json"]
KOJID_LOG_FILE = "/var/log/kojid.log"
FILE_FORM = "%(asctime)s [%(levelname)s] %(name)s: %(message)s"
STDERR_FORM = "%(asctime)s [%(levelname)s] {%(process)d} %(name)s:%(lineno)d %(message)s"
MAIL_FORM = "%(pathname)s:%(lineno)d [%(levelname)s] %(message)s"
MAIL_SERVER: str | tuple[str, int] = "localhost"
"""Not smtphost, which is for notifications (contract 1.3)."""
MAIL_TIMEOUT = 10.0
"""Seconds a mail may take: a dead mail server must not hold up the thread that logs for long."""


def configure_logging(
    log_format: LogFormat = "kojid",
    levels: Mapping[str, int] | None = None,
    stream: TextIO | None = None,
    log_file: str | None = None,
    admin_emails: str | None = None,
) -> None:
    """Set up all logging of the process; calling it again replaces the former set-up. Main thread, at start.

    `levels` maps logger names to levels (`config.kojid_options.log_levels`); all others log from WARNING on. `stream` None
    means stderr. `log_file` that cannot be written is left out in silence, as by kojid; it may be rotated at any time.
    `admin_emails`: comma-separated addresses that get each ERROR by mail through localhost:25.
    """
    _configure_structlog()
    handlers: list[logging.Handler] = [_stderr_handler(log_format, stream or sys.stderr)]
    if log_file and _can_write(log_file):
        handlers.append(_formatted(logging.handlers.WatchedFileHandler(log_file, encoding="utf-8"), FILE_FORM))
    if admin_emails:
        handlers.append(_mail_handler(admin_emails))
    _replace_handlers(handlers)
    logging.getLogger().setLevel(logging.WARNING)
    for name, level in (levels or {"koji": logging.WARNING, "koji_adjutant": logging.WARNING}).items():
        logging.getLogger(name).setLevel(level)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide secrets: values of secret names, credentials and session keys inside texts (a structlog processor)."""
    return {name: value if name.startswith("_") else masked(name, value) for name, value in event.items()}


def _drop_formatted(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop what another handler's formatter left on a record of the standard library."""
    for name in ("message", "asctime"):
        event.pop(name, None)
    return event


_ADD_CONTEXT: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.ExtraAdder(),
    _drop_formatted,
)


def _configure_structlog() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # loggers made before this call must follow it
    )


def _stderr_handler(log_format: LogFormat, stream: TextIO) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    if log_format == "kojid":
        return _formatted(handler, STDERR_FORM)
    common: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if log_format == "json":
        common += [
            structlog.processors.format_exc_info,
            _drop_meta,
            redact,
            structlog.processors.JSONRenderer(default=str),
        ]
    else:
        common += [structlog.processors.format_exc_info, _drop_meta, redact, _console(stream)]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=common, foreign_pre_chain=_ADD_CONTEXT))
    return handler


def _console(stream: TextIO) -> Processor:
    return structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _formatted(handler: logging.Handler, form: str) -> logging.Handler:
    """Give `handler` kojid's form; what follows the event is `name=value`."""
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            fmt=form,
            processors=[structlog.processors.format_exc_info, _drop_meta, redact, _as_line],
            foreign_pre_chain=_ADD_CONTEXT,
        )
    )
    return handler


_drop_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta


def _as_line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    text = str(event.pop("event", ""))
    exception = event.pop("exception", None)
    stack = event.pop("stack", None)
    line = " ".join([text, *(f"{name}={_value(value)}" for name, value in event.items())])
    return "\n".join(str(part) for part in (line, stack, exception) if part)


def _value(value: object) -> str:
    text = str(value)
    return repr(text) if not text or any(character in text for character in " \n\t\"'=") else text


def _can_write(path: str) -> bool:
    try:
        with open(path, "a", encoding="utf-8"):
            return os.path.isfile(path)
    except OSError:
        return False


def _mail_handler(addresses: str) -> logging.Handler:
    host = socket.getfqdn()
    handler = _MailHandler(
        MAIL_SERVER, f"{_user_name()}@{host}", addresses.split(","), f"{host}: error notice", timeout=MAIL_TIMEOUT
    )
    handler.setLevel(logging.ERROR)
    return _formatted(handler, MAIL_FORM)


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, as in many containers
        return str(os.getuid())


class _MailHandler(logging.handlers.SMTPHandler):
    """A mail that cannot be sent loses nothing: the record also stands in the log."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- the standard library's name
        if not isinstance(sys.exc_info()[1], (OSError, smtplib.SMTPException)):
            super().handleError(record)


def _replace_handlers(handlers: list[logging.Handler]) -> None:
    root = logging.getLogger()
    for old in _OURS:
        root.removeHandler(old)
        old.close()
    _OURS[:] = handlers
    for handler in handlers:
        root.addHandler(handler)


_OURS: list[logging.Handler] = []
"""Handlers of the last `configure_logging`; others (of a test runner) are left alone."""
