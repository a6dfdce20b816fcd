"""The HTTP server of the Open Inference Protocol, as an ASGI application."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from concurrent.futures import Future
from enum import Enum, auto
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from ramiel.errors import shorten
from ramiel.runtime import OpError, OpIndexError
from ramiel.serving.connection import BODY
from ramiel.serving.engine import Closed, Inputs, Outputs, QueueFull
from ramiel.serving.limits import Held, Limits, Share
from ramiel.serving.metrics import Metrics
from ramiel.serving.models import Model, Models
from ramiel.serving.protocol import (
    HEADER_LENGTH,
    Body,
    InferResponse,
    RequestError,
    parse,
    respond,
)
from ramiel.version import __version__

_log = logging.getLogger("uvicorn.error")
GONE = 499
"""The status of a request whose client has gone away, as nginx logs it."""
RETRY = {"Retry-After": "1"}
_CLOSE = {"Connection": "close"}
_MODEL = "/v2/models/{name}"
_VERSION = f"{_MODEL}/versions/{{version}}"
_INFER = re.compile(r"/v2/models/(?P<name>[^/]+)(/versions/(?P<version>[^/]+))?/infer")
_WATCHED_S = 0.05
"""How long a request takes before the server looks whether its client is still there."""


def application(models: Models, metrics: Metrics, limits: Limits) -> ASGIApp:
    """The application that serves models."""
    app = FastAPI(title="Ramiel", version=__version__, openapi_url=None)
    held = Held(limits.most_held)
    metrics.watch_held(held)

    @app.get("/v2")
    async def server() -> dict[str, Any]:
        extensions = ["binary_tensor_data"]
        return {"name": "ramiel", "version": __version__, "extensions": extensions}

    @app.get("/v2/health/live")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @app.get("/v2/health/ready")
    async def ready() -> JSONResponse:
        return _ready({}, all(model.queue.is_open for model in models))

    @app.get("/metrics")
    async def scraped() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.get(_MODEL)
    @app.get(_VERSION)
    async def metadata(name: str, version: str | None = None) -> dict[str, Any]:
        return _model(models, name, version).metadata(models.versions(name))

    @app.get(f"{_MODEL}/ready")
    @app.get(f"{_VERSION}/ready")
    async def model_ready(name: str, version: str | None = None) -> JSONResponse:
        model = _model(models, name, version)
        return _ready({"name": model.name}, model.queue.is_open)

    async def infer(name: str, version: str | None, request: Request, share: Share) -> Response:
        begun = time.monotonic()
        try:
            model = models.get(name, version)
        except LookupError as error:
            return _refused(RequestError(404, str(error)))
        try:
            response = await _infer(model, limits, request, share)
        except RequestError as error:
            response = _refused(error)
        except ClientDisconnect:
            response = Response(status_code=GONE)
        except Exception:
            _log.exception("a request for %s failed", model.name)
            response = _refused(RequestError(500, "the server failed"))
        labels = (model.name, str(model.version))
        metrics.requests.labels(*labels, str(response.status_code)).inc()
        metrics.seconds.labels(*labels).observe(time.monotonic() - begun)
        return response

    @app.post(f"{_MODEL}/infer")
    @app.post(f"{_VERSION}/infer")
    async def elsewhere() -> None:
        """So that other methods are not allowed. Inference itself does without routes and
        middleware, which take a fifth of the time that HTTP takes."""

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        asked = None
        if scope["type"] == "http" and scope["method"] == "POST":
            asked = _INFER.fullmatch(scope["path"])
        if asked is None:
            scope.pop(BODY, None)
            return await app(scope, receive, send)
        with held.share() as share:
            request = Request(scope, receive)
            response = await infer(asked["name"], asked["version"], request, share)
            await response(scope, receive, send)

    return application


def _model(models: Models, name: str, version: str | None) -> Model:
    try:
        return models.get(name, version)
    except LookupError as error:
        raise HTTPException(404, str(error)) from error


def _ready(told: dict[str, Any], is_ready: bool) -> JSONResponse:
    return JSONResponse({**told, "ready": is_ready}, 200 if is_ready else 503)


class InParts(Response):
    """A response whose parts are sent from where they are."""

    def __init__(self, given: InferResponse) -> None:
        size = sum(map(len, given.parts))
        headers = {"Content-Length": str(size)}
        if given.header_length is not None:
            headers[HEADER_LENGTH] = str(given.header_length)
        kind = "json" if given.header_length is None else "octet-stream"
        super().__init__(headers=headers, media_type=f"application/{kind}")
        self._parts = given.parts
        self.size = size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        for part in self._parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await asyncio.sleep(0)  # uvloop writes now, and tells whether to wait
        await send({"type": "http.response.body", "body": b""})


def _refused(error: RequestError) -> JSONResponse:
    return JSONResponse({"error": error.reason}, error.status, error.headers)


async def _infer(model: Model, limits: Limits, request: Request, share: Share) -> Response:
    """The response to a request for inference. RequestError or ClientDisconnect if there is
    none."""
    end = asyncio.get_running_loop().time() + limits.timeout_s
    header = request.headers.get(HEADER_LENGTH)
    asked = parse(await _body(request, limits, share, end), header, model.signature)
    if asked.timeout_s is not None:
        end = min(end, asyncio.get_running_loop().time() + asked.timeout_s)
    outputs = await _outputs(model, asked.inputs, request.receive, end)
    given = respond(asked, model.name, str(model.version), model.signature, outputs)
    response = InParts(given)
    share.give_back()
    share.take(response.size)
    return response


async def _body(request: Request, limits: Limits, share: Share, end: float) -> memoryview:
    """The body of a request, of which the binary data is aligned. What is too large is refused
    before it is read, if its headers say so."""
    body: Body | None = request.scope.pop(BODY, None)
    most = limits.most_bytes
    too_large = RequestError(413, f"a request may have {most} bytes", _CLOSE)
    full = RequestError(503, "too large requests and responses are under way", RETRY | _CLOSE)
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise RequestError(415, f"the content encoding {shorten(encoding, 40)} is not supported")
    said = request.headers.get("Content-Length", "0")
    if said.isdecimal() and int(said[:19]) > most:
        raise too_large
    if body is not None and not share.may_take(len(body.memory)):
        raise full
    chunks, more = list[bytes](), True
    try:
        async with asyncio.timeout_at(end):
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk, more = message.get("body", b""), message.get("more_body", False)
                if share.bytes + len(chunk) > most:
                    raise too_large
                if not share.may_take(len(chunk)):
                    raise full
                chunks.append(chunk)
    except TimeoutError:
        raise RequestError(408, "the request has not come in time", _CLOSE) from None
    if body is None:
        body = Body(share.bytes, request.headers.get(HEADER_LENGTH))
        for chunk in chunks:
            body.add(chunk)
    return body.memory


async def _outputs(model: Model, inputs: Inputs, receive: Receive, end: float) -> Outputs:
    """What a model computes, unless the time is up or the client goes away."""
    loop = asyncio.get_running_loop()
    # asyncio.wrap_future() makes a cycle of the two futures and the outputs.
    over: asyncio.Future[_End] = loop.create_future()
    gone: list[asyncio.Task[None]] = []
    timers = (
        loop.call_at(end, _tell, over, _End.LATE),
        loop.call_later(_WATCHED_S, lambda: gone.append(loop.create_task(_gone(receive, over)))),
    )
    computed: Future[Outputs] | None = None
    try:
        computed = model.queue.submit(inputs)
        del inputs
        computed.add_done_callback(lambda _: loop.call_soon_threadsafe(_tell, over, _End.COMPUTED))
        ended = await over
        if ended is _End.LATE:
            raise RequestError(504, "the result has not come in time")
        if ended is _End.GONE:
            raise ClientDisconnect
        return computed.result()
    except QueueFull:
        raise RequestError(503, "too many requests are waiting", RETRY) from None
    except Closed:
        raise RequestError(503, "the server is stopping", RETRY) from None
    except (ValueError, TypeError, OpIndexError) as error:
        raise RequestError(400, str(error)) from error
    except OpError as error:
        raise RequestError(500, str(error)) from error
    finally:
        for waiting in (*timers, *gone):
            waiting.cancel()
        if computed is not None:
            computed.cancel()
        del computed  # an error that it holds has this frame in its traceback


class _End(Enum):
    """How the wait for a result ends."""

    COMPUTED = auto()
    LATE = auto()
    GONE = auto()


def _tell(over: asyncio.Future[_End], end: _End) -> None:
    if not over.done():
        over.set_result(end)


async def _gone(receive: Receive, over: asyncio.Future[_End]) -> None:
    """Tells when the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
    _tell(over, _End.GONE)
