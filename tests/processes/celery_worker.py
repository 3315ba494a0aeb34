"""A Celery application whose broker and results are folders: `celery -A celery_worker worker`."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init, worker_ready

__all__ = ["answer_task", "app"]

FOLDER = os.environ["CELERY_FOLDER"]
MESSAGES = f"{FOLDER}/messages"

app = Celery("answering", broker="filesystem://", backend=f"file://{FOLDER}/results")
app.conf.broker_transport_options = {
    "data_folder_in": MESSAGES,
    "data_folder_out": MESSAGES,
    "control_folder": f"{FOLDER}/control",
}
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_redirect_stdouts = False


@app.task(bind=True, name="answer")
def answer_task(self: Any, question: str) -> dict[str, Any]:
    from answering import answer

    return answer(question, self.request.headers)


@worker_process_init.connect
def set_up_worker(**_: Any) -> None:
    from answering import set_up

    set_up("worker")


@worker_ready.connect
def tell(**_: Any) -> None:
    print("ready", flush=True)  # noqa: T201 - read by the test
