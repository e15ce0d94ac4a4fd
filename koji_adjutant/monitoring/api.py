"""The JSON API (docs/status-page.md): what the page shows, for programs. Reading only."""

from __future__ import annotations

import math
from collections.abc import Iterator

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from koji_adjutant.monitoring.log_reader import OpenLog, list_logs
from koji_adjutant.monitoring.source import Source
from koji_adjutant.monitoring.view import image_document

MOST_RECORDS = 200
MOST_TEXT = 1 << 20
PIECE = 1 << 18


def api_routes(source: Source, *, login: bool = False) -> list[Route]:
    """Return the routes; `login`: whether a token is asked for."""

    async def status(_: Request) -> Response:
        return JSONResponse({**source.view().document(), "login": login})

    async def history(request: Request) -> Response:
        count = number(request, "limit", 50, most=MOST_RECORDS)
        records = source.history(count, moment(request, "before"))
        return JSONResponse({"tasks": [record.document() for record in records]})

    async def images(_: Request) -> Response:
        problem = source.view().runtime.images_problem
        return JSONResponse({"images": [image_document(image) for image in source.images()], "problem": problem})

    async def problems(_: Request) -> Response:
        return JSONResponse({"problems": [problem.document() for problem in source.problems()]})

    async def config(_: Request) -> Response:
        return JSONResponse(source.configuration())

    return [
        Route("/api/status", status),
        Route("/api/history", history),
        Route("/api/images", images),
        Route("/api/problems", problems),
        Route("/api/config", config),
        *_task_routes(source),
    ]


def _task_routes(source: Source) -> list[Route]:
    """Return the routes of one task. They run in threads: a disk may take its time."""

    def task(request: Request) -> Response:
        task_id = request.path_params["task_id"]
        running = next((task.document() for task in source.view().tasks if task.task_id == task_id), None)
        ended = source.ended(task_id)
        if running is None and ended is None:
            raise HTTPException(404, f"task {task_id} neither runs here nor is in the history")
        directory = source.log_directory(task_id)
        logs = [] if directory is None else [vars(log) for log in list_logs(directory)]
        return JSONResponse({"running": running, "ended": None if ended is None else ended.document(), "logs": logs})

    def text(request: Request) -> Response:
        size = number(request, "size", 1 << 17, most=MOST_TEXT)
        with open_log(source, request) as log:
            piece = log.piece_before(number(request, "before", log.size()), size)
        return JSONResponse(vars(piece))

    def raw(request: Request) -> Response:
        offset = number(request, "offset", 0)
        # A type that no browser makes anything of, but shows.
        kind = "text/plain; charset=utf-8"
        return StreamingResponse(_bytes(open_log(source, request), offset), media_type=kind, headers=_RAW)

    log = "/api/tasks/{task_id:int}/logs/{log}"
    return [
        Route("/api/tasks/{task_id:int}", task),
        Route(log, raw),
        Route(f"{log}/text", text),
    ]


_RAW = {"Content-Disposition": "inline"}


def open_log(source: Source, request: Request) -> OpenLog:
    """Open the log that a request names.

    Raises:
        HTTPException: 404, there is none.
    """
    task_id, name = request.path_params["task_id"], request.path_params["log"]
    directory = source.log_directory(task_id)
    if directory is None:
        raise HTTPException(404, f"task {task_id} does not run here; the logs of ended tasks are at the hub")
    found = OpenLog.open(directory, name)
    if found is None:
        raise HTTPException(404, f"task {task_id} has no such log")
    return found


def number(request: Request, name: str, default: int, *, most: int | None = None) -> int:
    """Return a query parameter that counts something.

    Raises:
        HTTPException: 400, it does not.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise HTTPException(400, f"{name} is not a number of things: a decimal number is wanted")
    return int(text) if most is None else min(int(text), most)


def moment(request: Request, name: str) -> float | None:
    """Return a query parameter that is a unix time, None if it is not there.

    Raises:
        HTTPException: 400, it is none.
    """
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise HTTPException(400, f"{name} is no unix time")
    return found


def _bytes(log: OpenLog, offset: int) -> Iterator[bytes]:
    with log:
        end = log.size()
        while offset < end and (data := log.read(offset, min(PIECE, end - offset))):
            offset += len(data)
            yield data
