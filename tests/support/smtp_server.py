"""A mail server on loopback that keeps what it gets: enough of SMTP for smtplib (EHLO, AUTH PLAIN, MAIL, RCPT, DATA, QUIT)."""

from __future__ import annotations

import base64
import socketserver
import threading
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Mail:
    """One message, as it came over the wire, dots of transparency taken off."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    login: tuple[str, str] | None


class SMTPServer:
    """Serves while it is entered.

    `refused` recipients get a 550; `logins` are users with their passwords, who then have to log in.
    """

    def __init__(self, *, refused: frozenset[str] = frozenset(), logins: dict[str, str] | None = None) -> None:
        self.mails: list[Mail] = []
        self.refused = refused
        self.logins = logins
        outer = self

        class Handler(_Handler):
            owner = outer

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def address(self) -> str:
        """Host and port, as `smtphost` takes them."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(socketserver.StreamRequestHandler):
    owner: SMTPServer

    def handle(self) -> None:
        self._login: tuple[str, str] | None = None
        self._sender, self._recipients = "", []
        self._say(220, "test.example.com")
        while line := self.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            if verb.upper() == "QUIT":
                self._say(221, "bye")
                return
            getattr(self, f"_do_{verb.lower()}", self._unknown)(rest)

    def _do_ehlo(self, _: str) -> None:
        lines = ["test.example.com", "8BITMIME", *(["AUTH PLAIN"] if self.owner.logins is not None else [])]
        for line in lines[:-1]:
            self.wfile.write(f"250-{line}\r\n".encode())
        self._say(250, lines[-1])

    def _do_auth(self, rest: str) -> None:
        _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
        if (self.owner.logins or {}).get(user) != password:
            self._say(535, "wrong")
            return
        self._login = (user, password)
        self._say(235, "welcome")

    def _do_mail(self, rest: str) -> None:
        if self.owner.logins is not None and self._login is None:
            self._say(530, "log in first")
            return
        self._sender = _address(rest)
        self._say(250, "ok")

    def _do_rcpt(self, rest: str) -> None:
        if _address(rest) in self.owner.refused:
            self._say(550, "no such user")
            return
        self._recipients.append(_address(rest))
        self._say(250, "ok")

    def _do_data(self, _: str) -> None:
        self._say(354, "go on")
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line[1:] if line.startswith(b".") else line)
        self.owner.mails.append(Mail(self._sender, tuple(self._recipients), b"".join(lines), self._login))
        self._say(250, "kept")

    def _do_rset(self, _: str) -> None:
        self._sender, self._recipients = "", []
        self._say(250, "ok")

    def _unknown(self, _: str) -> None:
        self._say(502, "not here")

    def _say(self, code: int, text: str) -> None:
        self.wfile.write(f"{code} {text}\r\n".encode())


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]
