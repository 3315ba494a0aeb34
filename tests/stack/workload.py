"""A day of a program: the demo, an optimizer run, two tenants and everything that goes wrong, in one process.

Run under `opentelemetry-instrument`. The last line that it prints is JSON: what `usage_scope` counted.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import tempfile
from contextlib import suppress
from typing import Any

os.environ.setdefault("DSPY_CACHEDIR", tempfile.mkdtemp(prefix="dspy-cache-"))

import app
import dspy
from model_server import Failure, ModelServer, Reply
from scripted_task import Sums, answer, data, judged, quiet

from opentelemetry.instrumentation.dspy import BudgetExceededError, telemetry_context, usage_scope

TENANTS = {"north": 2, "south": 3}
"""Questions of each."""


class Greet(dspy.Signature):
    """Greet a customer."""

    name: str = dspy.InputField()
    greeting: str = dspy.OutputField()


class Greeter(dspy.Module):
    """A program of one predictor, and a tool that can fail."""

    def __init__(self) -> None:
        super().__init__()
        self.greet = dspy.Predict(Greet)
        self.look_up = dspy.Tool(look_up)

    def forward(self, name: str) -> Any:
        if name == "":
            self.look_up(name=name)
        return self.greet(name=name)


def look_up(name: str) -> str:
    """Look up somebody."""
    if not name:
        raise ValueError("nobody")
    return name


def main() -> None:
    """Run all parts, each in a scope of its own."""
    parts: dict[str, Any] = {}
    with usage_scope() as all_of_it:
        with usage_scope() as parts["demo"]:
            app.main()
        with ModelServer(answer) as server:
            dspy.configure(lm=language_model(server))
            with usage_scope() as parts["optimizer"], quiet():
                optimize()
            for tenant, questions in TENANTS.items():
                with usage_scope() as parts[tenant], telemetry_context(metric_attributes={"tenant": tenant}):
                    for number in range(questions):
                        Greeter()(name=f"{tenant} {number}")
            with usage_scope() as parts["trouble"]:
                trouble(server)
    parts["all"] = all_of_it
    print(json.dumps({name: figures(usage) for name, usage in parts.items()}))


def language_model(server: ModelServer, name: str = "gpt-4o-mini") -> dspy.LM:
    """Return a language model, without another name one with a price."""
    return dspy.LM(f"openai/{name}", api_base=server.url, api_key="none", cache=False, num_retries=2)


def optimize() -> None:
    """Optimize with a metric that asks a model, so that every role has calls."""
    sizes = {"num_trials": 4, "minibatch": True, "minibatch_size": 3, "minibatch_full_eval_steps": 2}
    few = {"max_bootstrapped_demos": 2, "max_labeled_demos": 2}
    optimizer = dspy.MIPROv2(metric=judged, auto=None, num_candidates=3, num_threads=2, **few)
    permission = {"requires_permission_to_run": False}
    taken = {
        name: value for name, value in permission.items() if name in inspect.signature(optimizer.compile).parameters
    }
    optimizer.compile(Sums(), trainset=data(8), valset=data(6, start=20), **sizes, **taken)


def trouble(server: ModelServer) -> None:
    """Make each kind of trouble once, and stream and embed."""
    # A retry that helps.
    server.fail_next(Failure(503, "busy", headers={"retry-after": "0"}))
    Greeter()(name="after a retry")
    # A failure for good, in a model call and in a tool.
    server.fail_next(Failure(400, "no"))
    with suppress(dspy.LMError):
        Greeter()(name="refused")
    with suppress(ValueError):
        Greeter()(name="")
    # A reply that the adapter cannot read, and the second call that it makes then.
    unreadable = [Reply(text="What?"), Reply(text='{"greeting": "Hello"}')]
    server.reply = lambda request: unreadable.pop(0) if unreadable else None
    Greeter()(name="at the second try")
    server.reply = answer
    asyncio.run(stream())
    # A model that no table has a price of.
    with dspy.context(lm=language_model(server, "our-own")):
        for name in ("one", "another"):
            Greeter()(name=name)
    overspend()
    embedder = dspy.Embedder("openai/text-embedding-3-small", api_base=server.url, api_key="none", caching=False)
    embedder(["a lamp", "a parcel"])


def overspend() -> None:
    """Let a budget end a program."""
    with suppress(BudgetExceededError), usage_scope(max_calls=1):
        Greeter()(name="the first")
        Greeter()(name="one too many")


async def stream() -> None:
    """Read a streamed answer to its end."""
    listener = dspy.streaming.StreamListener(signature_field_name="greeting", predict_name="greet")
    program = Greeter()
    async for _ in dspy.streamify(program, stream_listeners=[listener])(name="in pieces"):
        pass


def figures(usage: Any) -> dict[str, float]:
    """Return what a scope counted."""
    names = ("cost", "lm_calls", "input_tokens", "output_tokens", "cache_hits", "saved_cost", "cost_unknown_calls")
    return {name: getattr(usage, name, None) for name in names}


if __name__ == "__main__":
    main()
