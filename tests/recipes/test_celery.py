"""docs/recipes/celery.md: a task is in the trace of whoever sent it, and its worker delivers all of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from recipes.running import ROOT, run, started, tree

if TYPE_CHECKING:
    from pathlib import Path

    from otlp_receiver import OtlpReceiver

PAGE = ROOT / "docs" / "recipes" / "celery.md"
WORK = ["celery", "--workdir", "examples/recipes", "--app", "celery_tasks", "worker", "--loglevel", "INFO"]
QUIET = ["--concurrency", "1", "--without-mingle", "--without-gossip", "--without-heartbeat"]

ORDER = """\
order
  apply_async/celery_tasks.answer
    run/celery_tasks.answer
      Predict question -> answer
        chat gpt-4o-mini"""


def test_a_task_is_in_the_trace_of_its_sender_and_counted(
    receiver: OtlpReceiver, settings: dict[str, str], tmp_path: Path
) -> None:
    # A broker in a folder: it needs no server, and worker and sender are processes of their own all the same.
    settings |= broker_in(tmp_path)
    # Batches leave at the end alone, however slow the machine is.
    settings["OTEL_BSP_SCHEDULE_DELAY"] = "600000"
    settings["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"] = "openai,fastapi"

    run(["opentelemetry-instrument", "python", "examples/recipes/celery_order.py"], settings)
    with started(["opentelemetry-instrument", *WORK, *QUIET], settings, "succeeded in"):
        pass

    assert tree(receiver.spans) == ORDER
    points = [point for point in receiver.metrics if point.name == "gen_ai.client.operation.duration"]
    assert [point.count for point in points] == [1]
    sender, worker = (
        {span.origin.resource["service.instance.id"] for span in receiver.spans if span.name.startswith(names)}
        for names in (("order", "apply_async"), ("run", "Predict", "chat"))
    )
    assert (len(sender), len(worker), sender & worker) == (1, 1, set())


def broker_in(folder: Path) -> dict[str, str]:
    """The setting under which a program finds the `celeryconfig` of the page, with a folder of the test's own."""
    queue = folder / "queue"
    queue.mkdir()
    text = PAGE.read_text(encoding="utf-8")
    assert "mkdir -p /tmp/shop\n" in text
    [configuration] = re.findall(r"^```python\n(broker_url.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (folder / "celeryconfig.py").write_text(configuration.replace("/tmp/shop", str(queue)), encoding="utf-8")
    return {"PYTHONPATH": str(folder)}
