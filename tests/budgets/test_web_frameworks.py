"""A block in a web service, where its error can become an answer: in a function, a dependency, a middleware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from desk import Desk

from opentelemetry.instrumentation.dspy import BudgetExceededError, usage_scope

fastapi = pytest.importorskip("fastapi")
pytest.importorskip("httpx")
from fastapi.responses import JSONResponse  # noqa: E402
from fastapi.testclient import TestClient  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import dspy
    from model_server import ModelServer
    from recorded import Recorded

pytestmark = pytest.mark.timeout(60)


def refused(_: object, error: Exception) -> Any:
    assert isinstance(error, BudgetExceededError)
    return JSONResponse({"bound": error.bound}, status_code=402)


async def bounded() -> AsyncIterator[None]:
    with usage_scope(max_calls=1):
        yield


class BoundedMiddleware:
    """A middleware in plain ASGI."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            with usage_scope(max_calls=1):
                await self.app(scope, receive, send)
        except BudgetExceededError as error:
            await refused(None, error)(scope, receive, send)


def ask_twice() -> None:
    for question in ("one", "two"):
        Desk()(question=question)


async def ask_twice_later() -> None:
    for question in ("one", "two"):
        await Desk().acall(question=question)


def ask_in_block() -> None:
    with usage_scope(max_calls=1):
        ask_twice()


@pytest.mark.parametrize("endpoint", [ask_twice, ask_twice_later])
@pytest.mark.parametrize("where", ["dependency", "middleware"])
def test_a_block_around_the_function_that_answers(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, endpoint: Any, where: str
) -> None:
    is_dependency = where == "dependency"
    app = fastapi.FastAPI(dependencies=[fastapi.Depends(bounded)] if is_dependency else [])
    if is_dependency:
        app.add_exception_handler(BudgetExceededError, refused)
    else:
        app.add_middleware(BoundedMiddleware)
    app.get("/")(endpoint)
    answer = TestClient(app).get("/")
    assert (answer.status_code, answer.json()) == (402, {"bound": "max_calls"})
    assert len(model_server.requests) == 1


def test_a_block_in_the_function_that_answers(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    app = fastapi.FastAPI(exception_handlers={BudgetExceededError: refused})
    app.get("/")(ask_in_block)
    assert TestClient(app).get("/").status_code == 402
    assert len(model_server.requests) == 1
