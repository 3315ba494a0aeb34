"""A gateway in front of a model, as a LiteLLM proxy is one: it hands every request on.

    MODEL=http://127.0.0.1:8080 opentelemetry-instrument uvicorn --app-dir tests/backends model_gateway:app

FastAPI's instrumentation goes on with the trace of a request, HTTPX's has the way to the model. The first is switched
on here: no variable tells it to leave out the spans for the pieces of a stream.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import get_tracer_provider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECONDS = 200


@asynccontextmanager
async def _open(app: FastAPI) -> AsyncIterator[None]:
    async with httpx.AsyncClient(base_url=os.environ["MODEL"], timeout=SECONDS) as app.state.model:
        yield
    # Uvicorn ends by the signal that it got, and with it no spans are sent any more.
    provider = get_tracer_provider()
    assert isinstance(provider, TracerProvider)
    provider.shutdown()


app = FastAPI(lifespan=_open)
FastAPIInstrumentor.instrument_app(app, exclude_spans=["receive", "send"], excluded_urls="health")


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/v1/chat/completions")
async def complete(request: Request) -> StreamingResponse:
    model: httpx.AsyncClient = request.app.state.model
    content_type = {"Content-Type": "application/json"}
    asked = model.build_request("POST", request.url.path, content=await request.body(), headers=content_type)
    reply = await model.send(asked, stream=True)

    async def content() -> AsyncIterator[bytes]:
        async for piece in reply.aiter_bytes():
            yield piece
        await reply.aclose()

    return StreamingResponse(content(), reply.status_code, media_type=reply.headers["Content-Type"])
