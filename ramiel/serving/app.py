"""The HTTP server of the Open Inference Protocol, as an ASGI application."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ramiel.errors import shorten
from ramiel.runtime import OpError, OpIndexError
from ramiel.serving.engine import Closed, Outputs, QueueFull
from ramiel.serving.metrics import Metrics
from ramiel.serving.models import Model, Models
from ramiel.serving.protocol import HEADER_LENGTH, RequestError, parse, respond
from ramiel.version import __version__

_log = logging.getLogger("uvicorn.error")
GONE = 499
"""The status of a request whose client has gone away, as nginx logs it."""
RETRY = {"Retry-After": "1"}
_CLOSE = {"Connection": "close"}
_MODEL = "/v2/models/{name}"
_VERSION = f"{_MODEL}/versions/{{version}}"


@dataclass(frozen=True)
class Limits:
    """What a request may be: bytes of its body, and seconds from its headers to its response."""

    most_bytes: int = 64_000_000
    timeout_s: float = 30.0


def application(models: Models, metrics: Metrics, limits: Limits) -> FastAPI:
    """The application that serves models."""
    app = FastAPI(title="Ramiel", version=__version__, openapi_url=None)

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

    async def infer(request: Request) -> Response:
        model = _model(models, request.path_params["name"], request.path_params.get("version"))
        begun = time.monotonic()
        try:
            response = await _infer(model, limits, request)
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

    for path in (_MODEL, _VERSION):
        # Starlette's route: what FastAPI's does to find arguments takes a tenth of a request.
        app.add_route(f"{path}/infer", infer, methods=["POST"])

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    return app


def _model(models: Models, name: str, version: str | None) -> Model:
    try:
        return models.get(name, version)
    except LookupError as error:
        raise HTTPException(404, str(error)) from error


def _ready(told: dict[str, Any], is_ready: bool) -> JSONResponse:
    return JSONResponse({**told, "ready": is_ready}, 200 if is_ready else 503)


def _refused(error: RequestError) -> JSONResponse:
    return JSONResponse({"error": error.reason}, error.status, error.headers)


async def _infer(model: Model, limits: Limits, request: Request) -> Response:
    """The response to a request for inference. RequestError or ClientDisconnect if there is
    none."""
    end = asyncio.get_running_loop().time() + limits.timeout_s
    body = await _body(request, limits, end)
    asked = parse(body, request.headers.get(HEADER_LENGTH), model.signature)
    del body
    if asked.timeout_s is not None:
        end = min(end, asyncio.get_running_loop().time() + asked.timeout_s)
    try:
        computed = model.queue.submit(asked.inputs)
    except QueueFull:
        raise RequestError(503, "too many requests are waiting", RETRY) from None
    except Closed:
        raise RequestError(503, "the server is stopping", RETRY) from None
    outputs = await _outputs(computed, request, end)
    given = respond(asked, model.name, str(model.version), model.signature, outputs)
    if given.header_length is None:
        return Response(given.body, media_type="application/json")
    headers = {HEADER_LENGTH: str(given.header_length)}
    return Response(given.body, headers=headers, media_type="application/octet-stream")


async def _body(request: Request, limits: Limits, end: float) -> bytearray:
    """The body of a request. What is too large is refused before it is read, if its headers say
    so."""
    most = limits.most_bytes
    too_large = RequestError(413, f"a request may have {most} bytes", _CLOSE)
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise RequestError(415, f"the content encoding {shorten(encoding, 40)} is not supported")
    said = request.headers.get("Content-Length", "0")
    if said.isdecimal() and int(said[:19]) > most:
        raise too_large
    chunks, size = list[bytes](), 0
    try:
        async with asyncio.timeout_at(end):
            async for chunk in request.stream():
                if (size := size + len(chunk)) > most:
                    raise too_large
                chunks.append(chunk)
    except TimeoutError:
        raise RequestError(408, "the request has not come in time", _CLOSE) from None
    return bytearray().join(chunks)


async def _outputs(computed: Future[Outputs], request: Request, end: float) -> Outputs:
    """What was computed, unless the time is up or the client goes away."""
    loop = asyncio.get_running_loop()
    # asyncio.wrap_future() makes a cycle of the two futures and the outputs.
    arrived: asyncio.Future[None] = loop.create_future()
    computed.add_done_callback(lambda _: loop.call_soon_threadsafe(_arrive, arrived))
    gone = asyncio.ensure_future(_gone(request.receive))
    try:
        done, _ = await asyncio.wait(
            (arrived, gone),
            timeout=max(end - loop.time(), 0),
            return_when=asyncio.FIRST_COMPLETED,
        )
        if arrived in done:
            return computed.result()
        if gone in done:
            raise ClientDisconnect
        raise RequestError(504, "the result has not come in time")
    except (ValueError, TypeError, OpIndexError) as error:
        raise RequestError(400, str(error)) from error
    except OpError as error:
        raise RequestError(500, str(error)) from error
    finally:
        gone.cancel()
        computed.cancel()


def _arrive(arrived: asyncio.Future[None]) -> None:
    if not arrived.done():
        arrived.set_result(None)


async def _gone(receive: Callable[[], Any]) -> None:
    """Returns when the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
