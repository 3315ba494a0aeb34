"""A service whose every span says for whom it worked, and whose server spans say what the answer cost."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import dspy
from fastapi import BackgroundTasks, Depends, FastAPI, Header
from fastapi.responses import StreamingResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opentelemetry import _logs, metrics, trace
from opentelemetry.instrumentation.dspy import telemetry_context, usage_scope

# api_base is None outside of the test: the provider's own address.
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ.get("MODEL_URL"), cache=False))
answerer = dspy.Predict("question -> answer")
judge = dspy.Predict("question, answer -> is_helpful: bool")


@asynccontextmanager
async def deliver_at_exit(app: FastAPI) -> AsyncIterator[None]:
    yield
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()):
        getattr(provider, "shutdown", lambda: None)()  # without an SDK there is nothing to shut down


class PerRequest:
    """Everything that a request does, its stream and its background tasks too, says whose it is."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        server_span = trace.get_current_span()

        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                server_span.set_attributes({"app.cost": usage.cost, "app.lm_calls": usage.lm_calls})
            await send(message)

        user = Headers(scope=scope).get("x-user", "anonymous")
        with telemetry_context(attributes={"user.id": user}), usage_scope() as usage:
            await self.app(scope, receive, send_and_count)


async def conversation(x_conversation: Annotated[str, Header()]) -> AsyncIterator[None]:
    with telemetry_context(conversation_id=x_conversation):
        yield


app = FastAPI(lifespan=deliver_at_exit)
app.add_middleware(PerRequest)


@app.get("/ask", dependencies=[Depends(conversation)])
async def ask(question: str, background: BackgroundTasks) -> dict[str, str]:
    prediction = await answerer.acall(question=question)
    background.add_task(judge, question=question, answer=prediction.answer)
    return {"answer": prediction.answer}


@app.get("/stream", dependencies=[Depends(conversation)])
async def stream(question: str) -> StreamingResponse:
    async def pieces() -> AsyncIterator[str]:
        listener = dspy.streaming.StreamListener("answer")  # it keeps what it heard: one for each stream
        async for piece in dspy.streamify(answerer, stream_listeners=[listener])(question=question):
            if isinstance(piece, dspy.streaming.StreamResponse):
                yield piece.chunk

    return StreamingResponse(pieces(), media_type="text/plain")
