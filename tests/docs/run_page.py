"""Runs the Python blocks of pages in their order: ``python run_page.py FOLDER docs/concepts.md …``.

Each page has a process of its own, forked when all that takes long is imported. A model behind HTTP on loopback answers
whatever ``dspy.LM`` is made there; what is not told to go elsewhere goes to the receiver in
``OTEL_EXPORTER_OTLP_ENDPOINT``. What a page prints goes to ``FOLDER/0`` and so on, the line of each block that is not
run and the reason with it; the exit codes of all pages are printed, one a line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "docs"), str(ROOT / "tests"), str(ROOT)]

import dspy  # noqa: E402
from model_server import ModelServer  # noqa: E402
from pages import document_of, evaluate_or_skip, run_python  # noqa: E402

if TYPE_CHECKING:
    from recorded import Recorded


def recorded_telemetry(**options: Any) -> Recorded:
    """Instrument DSPy with telemetry in memory, for a page that says what it is."""
    from recorded import Recorded

    from opentelemetry.instrumentation.dspy import DSPyInstrumentor

    recorded = Recorded()
    DSPyInstrumentor().instrument(**recorded.providers, **options)
    return recorded


def run_blocks(page: str) -> None:
    """Run the blocks of one page in this process."""
    with ModelServer() as server:
        os.environ.update(OPENAI_API_BASE=server.url, OPENAI_BASE_URL=server.url, OPENAI_API_KEY="test-key")
        dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", cache=False))
        dspy.configure_cache(enable_disk_cache=False)
        document = document_of(page, "python", run_python)
        document.namespace.update(recorded_telemetry=recorded_telemetry)
        for example in document.examples():
            reason = evaluate_or_skip(example)
            if reason is not None and example.region.lexemes["arguments"] == "python":
                print(f"{page}:{example.line}: not run: {reason}")


def main(folder: Path, pages: list[str]) -> None:
    """Run each page in a fork of this process."""
    for number, page in enumerate(pages):
        child = os.fork()
        if child == 0:
            output = os.open(folder / str(number), os.O_CREAT | os.O_WRONLY)
            os.dup2(output, 1)
            os.dup2(output, 2)
            run_blocks(page)
            sys.exit()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
