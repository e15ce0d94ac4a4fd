"""A log while it grows, as server-sent events.

The id of each event is the offset behind it: a browser that lost the connection goes on where it was (`Last-Event-ID`).
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from koji_adjutant.monitoring.api import number, open_log
from koji_adjutant.monitoring.display import LogText
from koji_adjutant.monitoring.log_reader import OpenLog
from koji_adjutant.monitoring.source import Source

FIRST = 1 << 17
"""Bytes of the end of a log with which a follower begins."""
PIECE = 1 << 17
LOOK_SECONDS = 0.2
PING_SECONDS = 15.0
BEHIND = 8 << 20
"""Bytes a follower may be behind before it is taken to the end: nobody reads what runs past at that speed."""
MOST_FOLLOWERS = 64

_HEADERS = {"X-Accel-Buffering": "no"}


class LogEvents:
    """Followers of logs; `closing` ends them all, so that the server can stop."""

    def __init__(self, source: Source, closing: Callable[[], bool]) -> None:
        self._source = source
        self._closing = closing
        self._followers = 0

    def route(self) -> Route:
        """Return the route."""
        return Route("/api/tasks/{task_id:int}/logs/{log}/events", self._answer)

    async def _answer(self, request: Request) -> Response:
        if self._followers >= MOST_FOLLOWERS:
            raise HTTPException(503, "too many logs are followed at once", {"Retry-After": "10"})
        log = await run_in_threadpool(open_log, self._source, request)
        if request.method == "HEAD":
            log.close()
            return Response(media_type="text/event-stream")
        try:
            offset = _begin(request, log)
        except HTTPException:
            log.close()
            raise
        events = self._events(log, request.path_params["task_id"], offset)
        return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)

    async def _events(self, log: OpenLog, task_id: int, offset: int) -> AsyncIterator[str]:
        self._followers += 1
        text, spoken = LogText(), time.monotonic()
        try:
            yield f"retry: 1000\n{event('begin', {'start': offset}, offset)}"
            while not self._closing():
                # Asked before the log is looked at: what an ended task wrote is there by then.
                running = self._source.log_directory(task_id) is not None
                size = await run_in_threadpool(log.size)
                if size - offset > BEHIND:
                    start = await run_in_threadpool(log.line_start, size - FIRST)
                    yield event("skip", {"bytes": start - offset}, start)
                    offset, text = start, LogText()
                piece = await run_in_threadpool(log.next_piece, offset, PIECE, text, last=not running)
                if piece.end > offset:
                    offset, spoken = piece.end, time.monotonic()
                    yield event("text", {"text": piece.text, "size": max(size, offset)}, offset)
                    continue
                if not running:
                    yield event("end", self._end(task_id), offset)
                    return
                if time.monotonic() - spoken > PING_SECONDS:
                    spoken = time.monotonic()
                    yield ": still here\n\n"
                await anyio.sleep(LOOK_SECONDS)
        finally:
            self._followers -= 1
            log.close()

    def _end(self, task_id: int) -> dict[str, Any]:
        record = self._source.ended(task_id)
        return {} if record is None else {"result": record.result, "reason": record.reason}


def event(kind: str, data: dict[str, Any], offset: int) -> str:
    """Return one event. JSON has no bare line ends, which would end it early."""
    return f"event: {kind}\nid: {offset}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"


def _begin(request: Request, log: OpenLog) -> int:
    """Return where a follower goes on: where it was, where it wants to, or shortly before the end."""
    size = log.size()
    last = request.headers.get("last-event-id", "")
    if last.isascii() and last.isdecimal() and len(last) <= 18:
        return min(int(last), size)
    return min(number(request, "offset", log.line_start(size - FIRST)), size)
