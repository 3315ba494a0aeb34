"""Tasks that belong to the trace of whoever sent them, and a worker that loses nothing when it is stopped."""

import os

import dspy
from celery import Celery
from celery.signals import worker_process_shutdown

from opentelemetry import _logs, metrics, trace

app = Celery("shop")
app.config_from_object("celeryconfig")  # a module of yours, with broker_url

# api_base is None outside of the test: the provider's own address.
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ.get("MODEL_URL"), cache=False))
answerer = dspy.Predict("question -> answer")


@app.task
def answer(question: str) -> str:
    return answerer(question=question).answer


@worker_process_shutdown.connect(weak=False)
def deliver_at_exit(**_: object) -> None:
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()):
        getattr(provider, "shutdown", lambda: None)()  # without an SDK there is nothing to shut down
