"""The command line: ``dspy-telemetry doctor``, or ``python -m opentelemetry.instrumentation.dspy doctor``."""

from __future__ import annotations

import argparse
import atexit
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .doctor import examine
from .report import as_json, as_text, exit_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0 where all is right, 1 where something is to change. Wrong usage exits with 2."""
    parsed = _parser().parse_args(arguments)
    with _output_kept_clean():
        sections = examine(set_up_by=parsed.setup, timeout=parsed.timeout)
    sys.stdout.write(as_json(sections) if parsed.json else as_text(sections))
    sys.stdout.flush()
    return exit_code(sections)


@contextmanager
def _output_kept_clean() -> Iterator[None]:
    """Keep from standard output what exporters print there, whatever they hold it by; at the end of Python too."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
    # The last to be registered is the first to run: before the SDK's providers shut down.
    atexit.register(os.dup2, nowhere, 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dspy-telemetry", description="Looks after the OpenTelemetry instrumentation of DSPy."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    doctor = commands.add_parser(
        "doctor",
        help="say whether telemetry of DSPy calls arrives, and what to change if not",
        description=(
            "Says what takes the telemetry of DSPy calls here, follows one call to its exporter, and tells what to "
            "change. Exits with 0 where all is right, 1 where something is to change, 2 for wrong usage. Run it as the "
            "program runs: opentelemetry-instrument dspy-telemetry doctor shows what that sets up."
        ),
    )
    doctor.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    doctor.add_argument(
        "--setup",
        metavar="MODULE:FUNCTION",
        type=_function_name,
        help="a function of the program that sets its telemetry up in code; it is called without arguments",
    )
    doctor.add_argument(
        "--timeout", metavar="SECONDS", type=_seconds, default=5.0, help="how long to wait for an answer (default: 5)"
    )
    return parser


def _function_name(text: str) -> str:
    module, colon, function = text.partition(":")
    if not (module and colon and function):
        raise argparse.ArgumentTypeError(f"{text!r} is not MODULE:FUNCTION")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above zero")
    return seconds
