"""Runs app.py under `opentelemetry-instrument`, passes its output on and adds up what its traces cost.

Every setting is an environment variable of OpenTelemetry or LiteLLM; those that are set already win.
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import delivery
import stack
from delivery import Receiver, Relay

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

APP = Path(__file__).parent / "app.py"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# The line with which dspy_console ends a trace; in a narrow terminal it goes on in an indented line.
TOTAL = re.compile(r"^total((?:.|\n  )*?)trace [0-9a-f]{32}", re.MULTILINE)
CALLS = re.compile(r"([\d,]+) LM call")
CACHED = re.compile(r"([\d,]+) cache hit")
TOKENS_IN = re.compile(r"([\d,]+) \S+ [\d,]+ tokens")
TOKENS_OUT = re.compile(r"([\d,]+) tokens")
COST = re.compile(r"(?<!saved )\$([\d,.]*\d)")
UNPRICED = re.compile(r"([\d,]+) calls? of unknown price")


def environment(given: Mapping[str, str], receiver: Receiver) -> dict[str, str]:
    """The settings for the program: spans on the terminal, and to the OTLP endpoint whatever it takes."""
    settings = {
        "OTEL_SERVICE_NAME": "support-desk",
        "OTEL_TRACES_EXPORTER": "dspy_console,otlp" if "traces" in receiver.signals else "dspy_console",
        "OTEL_METRICS_EXPORTER": "otlp" if "metrics" in receiver.signals else "none",
        "OTEL_LOGS_EXPORTER": "otlp" if "logs" in receiver.signals else "none",
        # Its handler would take the exporters' errors, which are read from standard error here.
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "logging",
        # The SDK's own ids come from Python's global random numbers, which DSPy seeds.
        "OTEL_PYTHON_ID_GENERATOR": "dspy_system_random",
        # Each tree appears right after the answer that it belongs to, instead of up to five seconds later.
        "OTEL_BSP_SCHEDULE_DELAY": "20",
        # Prices come from the table that DSPy brings; otherwise the first call would look for a newer one.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PYTHONUNBUFFERED": "1",
    }
    if receiver.protocol is not None:
        settings[PROTOCOL] = receiver.protocol
    if sys.stdout.isatty():
        settings["COLUMNS"] = str(shutil.get_terminal_size().columns)
    return {**settings, **given}


def run(command: list[str], settings: Mapping[str, str]) -> tuple[int, str, str]:
    """Run a command, print its output as it comes, and return its exit code, the output and the errors."""
    # Where there is a terminal the program writes to one too, so that its trees have colours and the right width.
    read, write = pty.openpty() if sys.stdout.isatty() else os.pipe()
    output, errors = b"", bytearray()
    with subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE, env=settings) as program:
        os.close(write)
        listener = threading.Thread(target=pass_on, args=(program.stderr, errors))
        listener.start()
        for piece in pieces(read):
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            output += piece
        listener.join()
    os.close(read)
    return program.returncode, output.decode(errors="replace"), errors.decode(errors="replace")


def pass_on(source: Any, kept: bytearray) -> None:
    """Write to standard error what the program writes there, and keep it."""
    for piece in iter(lambda: source.read1(65536), b""):
        sys.stderr.buffer.write(piece)
        sys.stderr.buffer.flush()
        kept += piece


def pieces(descriptor: int) -> Iterator[bytes]:
    """What can be read from a file descriptor, until everybody has closed its other end."""
    # On Linux the end of a terminal is an error.
    with contextlib.suppress(OSError):
        while piece := os.read(descriptor, 65536):
            yield piece


def totals(output: str) -> str:
    """The sums over all traces in the output of the program."""
    traces = TOTAL.findall(COLOURS.sub("", output))
    calls, cached, tokens_in, tokens_out, cost, unpriced = (
        sum(float(figure.replace(",", "")) for trace in traces for figure in pattern.findall(trace))
        for pattern in (CALLS, CACHED, TOKENS_IN, TOKENS_OUT, COST, UNPRICED)
    )
    prices = [f"${cost:.4f}"] if cost or not unpriced else []
    if unpriced:
        prices.append(f"{unpriced:,.0f} calls of unknown price")
    return (
        f"{len(traces)} traces, {calls:,.0f} LM calls ({cached:,.0f} from the cache), "
        f"{tokens_in:,.0f} tokens in and {tokens_out:,.0f} out, {' and '.join(prices)}"
    )


def receiver_of_this_run(settings: Mapping[str, str]) -> tuple[str, Receiver]:
    """Return where the telemetry goes: the endpoint in the environment, else the stack on this machine, if it is up."""
    headers = delivery.headers_of(settings.get(f"{ENDPOINT.rpartition('_')[0]}_HEADERS", ""))
    if settings.get(ENDPOINT):
        return settings[ENDPOINT], delivery.find(settings[ENDPOINT], headers, settings.get(PROTOCOL, ""))
    found = Receiver()
    if ENDPOINT not in settings:
        found = delivery.find(stack.collector(settings), {}, delivery.HTTP)
    return (stack.collector(settings), found) if found.signals else ("", Receiver())


def main() -> int:
    instrument = Path(sys.executable).with_name("opentelemetry-instrument")
    endpoint, receiver = receiver_of_this_run(os.environ)
    if endpoint and not os.environ.get(ENDPOINT):
        print(f"Something takes telemetry at {endpoint}: this run goes there too, unless {ENDPOINT} is set.")
    print(f"$ opentelemetry-instrument python {os.path.relpath(APP)}\n", flush=True)
    with contextlib.ExitStack() as opened:
        # Over HTTP the answers of the receiver can be read on their way.
        relay = opened.enter_context(Relay(endpoint)) if receiver.protocol == delivery.HTTP else None
        settings = environment(os.environ, receiver) | ({ENDPOINT: relay.url} if relay is not None else {})
        code, output, errors = run([str(instrument), sys.executable, str(APP)], settings)
    if code == 0:
        print(f"This run: {totals(output)}")
        print(delivery.report(endpoint, receiver, errors, relay) if endpoint else where_else())
        if endpoint and receiver.signals:
            print("".join(f"See it in {name}: {address}\n" for name, address in stack.pages().items()), end="")
    return code


def where_else() -> str:
    """What to do to see the same in pages."""
    demo = "make demo MODEL=local" if os.environ.get("DEMO_MODEL") == "local" else "make demo"
    return f"The same in Grafana: docker compose up -d --wait, then {demo} once more"


if __name__ == "__main__":
    sys.exit(main())
