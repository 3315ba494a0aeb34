"""What the application adds holds in web frameworks, threads and generators, and goes when its block is left."""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any

import dspy
import pytest
from dspy.utils import DummyLM
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient
from opentelemetry.instrumentation.threading import ThreadingInstrumentor
from starlette.middleware.base import BaseHTTPMiddleware

from opentelemetry import context as context_api
from opentelemetry.instrumentation.dspy import UsageScope, telemetry_context, usage_scope
from opentelemetry.instrumentation.dspy.context import NO_CALL, current_call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

    from recorded import Recorded


@pytest.fixture(autouse=True)
def program(telemetry: Recorded) -> dspy.Predict:
    dspy.configure(lm=DummyLM([{"answer": "here"}] * 50))
    return dspy.Predict("question -> answer")


def tenants(telemetry: Recorded) -> list[Any]:
    return [(span.attributes or {}).get("tenant") for span in telemetry.spans]


async def counted() -> AsyncIterator[UsageScope]:
    # What an instrumentation of the framework does around a dependency.
    token = context_api.attach(context_api.set_value("framework", "dependency"))
    with telemetry_context(attributes={"tenant": "t-1"}), usage_scope() as scope:
        context_api.detach(token)
        yield scope


def test_a_dependency_of_fastapi_counts_and_marks_the_request(telemetry: Recorded, program: dspy.Predict) -> None:
    scopes = []

    async def ask(scope: Annotated[UsageScope, Depends(counted)]) -> int:
        with usage_scope() as inner:
            await program.acall(question="one")
            await asyncio.gather(program.acall(question="two"), asyncio.to_thread(program, question="three"))
        scopes.append(inner)
        return scope.lm_calls

    # The annotations are those of this function's own frame.
    ask.__annotations__["scope"] = Annotated[UsageScope, Depends(counted)]
    app = FastAPI()
    app.get("/ask")(ask)
    with TestClient(app) as client:
        assert [client.get("/ask").json() for _ in range(2)] == [3, 3]
    assert [scope.lm_calls for scope in scopes] == [3, 3]
    assert tenants(telemetry) == ["t-1"] * 12
    assert current_call() is NO_CALL


@pytest.mark.parametrize("kind", ["asgi", "base"])
def test_a_middleware_counts_what_its_request_does(telemetry: Recorded, program: dspy.Predict, kind: str) -> None:
    counts = []

    class Pure:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            with usage_scope() as used:
                await self.app(scope, receive, send)
            if scope["type"] == "http":
                counts.append(used.lm_calls)

    class Base(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Any:
            with usage_scope() as used:
                response = await call_next(request)
            counts.append(used.lm_calls)
            return response

    app = FastAPI()
    app.add_middleware(Pure if kind == "asgi" else Base)  # type: ignore[arg-type]
    app.get("/ask")(lambda: program(question="one").answer)
    with TestClient(app) as client:
        for _ in range(2):
            assert client.get("/ask").json() == "here"
    assert counts == [1, 1]


def test_a_block_holds_while_the_context_of_opentelemetry_is_another(telemetry: Recorded, program: Any) -> None:
    before = context_api.get_current()
    with usage_scope() as outer, telemetry_context(attributes={"tenant": "t-2"}):
        token = context_api.attach(before)
        program(question="one")
        with usage_scope() as inner:
            program(question="two")
        context_api.detach(token)
        program(question="three")
    assert (outer.lm_calls, inner.lm_calls) == (3, 1)
    assert tenants(telemetry) == ["t-2"] * 6
    program(question="four")
    assert (outer.lm_calls, tenants(telemetry)[-1]) == (3, None)


def test_a_block_around_a_call_that_came_from_elsewhere_counts_beside_it(program: dspy.Predict) -> None:
    with usage_scope() as submitter:
        carried = context_api.get_current()

    def work() -> int:
        with usage_scope() as worker:
            token = context_api.attach(carried)
            program(question="one")
            context_api.detach(token)
        return worker.lm_calls

    assert contextvars.Context().run(work) == 1
    assert submitter.lm_calls == 1


def test_threads_of_the_application_count_where_their_context_is_carried(program: dspy.Predict) -> None:
    with ThreadPoolExecutor(1) as pool:
        with usage_scope() as alone:
            pool.submit(program, question="one").result()
        with usage_scope() as copied:
            pool.submit(contextvars.copy_context().run, program, question="two").result()
        ThreadingInstrumentor().instrument()
        try:
            with usage_scope() as carried:
                pool.submit(program, question="three").result()
        finally:
            ThreadingInstrumentor().uninstrument()
    assert (alone.lm_calls, copied.lm_calls, carried.lm_calls) == (0, 1, 1)


def scoped() -> Generator[UsageScope]:
    with usage_scope() as scope:
        yield scope


def test_blocks_of_two_generators_that_end_in_the_wrong_order_leave_nothing(program: dspy.Predict) -> None:
    first, second = scoped(), scoped()
    one, two = next(first), next(second)
    first.close()
    program(question="one")
    assert two.lm_calls == 1
    second.close()
    program(question="two")
    assert (one.lm_calls, two.lm_calls) == (1, 1)
    assert current_call() is NO_CALL


def test_a_generator_that_is_closed_in_another_context_leaves_nothing_in_either(program: dspy.Predict) -> None:
    generator = scoped()
    scope = next(generator)
    contextvars.copy_context().run(generator.close)
    program(question="one")
    assert (scope.lm_calls, current_call()) == (0, NO_CALL)
    with usage_scope() as later:
        program(question="two")
    assert (scope.lm_calls, later.lm_calls) == (0, 1)


def test_a_task_that_goes_on_after_the_block_still_counts_for_it(program: dspy.Predict) -> None:
    async def main() -> int:
        go = asyncio.Event()

        async def later() -> None:
            await go.wait()
            await program.acall(question="one")

        with usage_scope() as scope:
            task = asyncio.ensure_future(later())
        go.set()
        await task
        return scope.lm_calls

    assert asyncio.run(main()) == 1


def test_blocks_inside_a_module_lie_in_its_total_and_those_around_it(telemetry: Recorded, program: Any) -> None:
    inner: list[int] = []

    class Pair(dspy.Module):
        def forward(self) -> Any:
            with usage_scope() as scope:
                self_made = dspy.Parallel(num_threads=2, disable_progress_bar=True)
                self_made([(program, {"question": "one"}), (program, {"question": "two"})])
            inner.append(scope.lm_calls)
            return program(question="three")

    with usage_scope() as outer:
        Pair()()
    assert (inner, outer.lm_calls) == ([2], 3)
    assert telemetry.attributes("invoke_workflow Pair")["dspy.usage.lm_calls"] == 3


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    assert current_call() is NO_CALL
