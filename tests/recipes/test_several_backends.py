"""docs/recipes/several-backends.md: two backends get the same spans, each from a queue of its own."""

from __future__ import annotations

from otlp_receiver import OtlpReceiver

from recipes.running import run, tree

ANSWER = """\
Predict question -> answer
  chat gpt-4o-mini"""


def test_both_backends_get_every_span(receiver: OtlpReceiver, settings: dict[str, str]) -> None:
    with OtlpReceiver() as other:
        settings |= {"PHOENIX": receiver.endpoint, "JAEGER": other.endpoint}
        run(["python", "examples/recipes/several_backends.py"], settings)

        assert tree(receiver.spans) == ANSWER
        assert sorted(span.span_id for span in other.spans) == sorted(span.span_id for span in receiver.spans)


def test_the_terminal_is_one_of_them_without_code(receiver: OtlpReceiver, settings: dict[str, str]) -> None:
    settings["OTEL_TRACES_EXPORTER"] = "otlp,dspy_console"
    shown = run(["opentelemetry-instrument", "python", "examples/recipes/feedback.py"], settings)

    assert tree(receiver.spans) == ANSWER
    assert "└─ chat gpt-4o-mini" in shown.stdout + shown.stderr
