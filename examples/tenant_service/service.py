"""A web service that answers customers of several shops, and knows what each shop owes for the language model.

    opentelemetry-instrument uvicorn service:app

The trace goes on where the caller's ends: opentelemetry-instrumentation-fastapi reads its `traceparent`.
"""

from __future__ import annotations

import datetime
import os
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Annotated

import dspy
from fastapi import Depends, FastAPI, Header, HTTPException, Response
from pydantic import BaseModel

from opentelemetry.instrumentation.dspy import Usage, telemetry_context, trace_id_of, usage_scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import Request

# In a real service the key of a caller says who it is, and lies in a database.
TENANTS = {"key-of-acme": "acme", "key-of-lumen": "lumen", "key-of-nord": "nord"}


class AnswerCustomer(dspy.Signature):
    """Answer a customer's question in one friendly sentence."""

    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


class HelpDesk(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.ChainOfThought(AnswerCustomer)

    async def aforward(self, question: str) -> dspy.Prediction:
        return await self.answer.acall(question=question)


class Question(BaseModel):
    question: str


class Ledger:
    """What every tenant has used on every day."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._usage: defaultdict[tuple[str, str], Usage] = defaultdict(Usage)

    def add(self, tenant: str, usage: Usage) -> None:
        """Add what one request used."""
        today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        with self._lock:
            self._usage[today, tenant].add(usage)

    def bill(self) -> list[dict[str, str | int | float]]:
        """A line for each day and tenant: calls, tokens and US dollars."""
        with self._lock:
            return [
                {
                    "day": day,
                    "tenant": tenant,
                    "calls": usage.lm_calls,
                    "cached": usage.cache_hits,
                    "tokens": usage.input_tokens + usage.output_tokens,
                    "dollars": usage.cost,
                    "calls_of_unknown_price": usage.cost_unknown_calls,
                }
                for (day, tenant), usage in sorted(self._usage.items())
            ]


app, ledger, desk = FastAPI(), Ledger(), HelpDesk()
dspy.configure(lm=dspy.LM(os.environ.get("DEMO_MODEL", "openai/gpt-4o-mini"), api_base=os.environ.get("DEMO_API_BASE")))


@app.middleware("http")
async def bill_the_tenant(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Mark what a request does with its tenant and user, and add up what it used, also where it fails."""
    tenant = TENANTS.get(request.headers.get("x-api-key", ""))
    if tenant is None:
        return await call_next(request)
    # Tenants are few, so metrics tell them apart as well; users are many, so spans alone do.
    user = {"user.id": request.headers.get("x-user", "unknown")}
    with telemetry_context(metric_attributes={"tenant.id": tenant}, attributes=user), usage_scope() as usage:
        try:
            return await call_next(request)
        finally:
            ledger.add(tenant, usage.total())


def known_caller(x_api_key: Annotated[str, Header()]) -> None:
    """Refuse callers without a key of ours."""
    if x_api_key not in TENANTS:
        raise HTTPException(401, "this key is not known")


@app.post("/answers", dependencies=[Depends(known_caller)])
async def answer(question: Question) -> dict[str, str | None]:
    """Answer one question; the id of its trace goes into a support ticket."""
    prediction = await desk.acall(question=question.question)
    return {"answer": prediction.answer, "trace_id": trace_id_of(prediction)}


@app.get("/costs")
async def costs() -> list[dict[str, str | int | float]]:
    """What each tenant owes for each day, for whoever runs the service."""
    return ledger.bill()
