"""What the dspy_console exporter says of a finished trace: one line per span, sums on parents, a total."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from console_spans import Recorded, cached_chat, chat, printed, span, tracer_for, usage

from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

RATE_LIMIT = ("litellm.RateLimitError", "RateLimitError: limit of 200000 tokens per minute reached")


def support_desk() -> Recorded:
    return span(
        "invoke_workflow SupportDesk",
        span(
            "ChainOfThought question -> category",
            span(
                "Predict question -> reasoning, category",
                chat(1124, (212, 61), 0.000175),
                dspy__module__path="classify.predict",
                **usage(1, 212, 61, 0.000175),
            ),
            dspy__module__path="classify",
            **usage(1, 212, 61, 0.000175),
        ),
        span(
            "invoke_agent SupportAgent",
            span(
                "Predict JudgeAnswer",
                chat(1630, (1001, 88), 0.000426, dspy__lm__attempts=3),
                dspy__module__path="agent.react",
                **usage(1, 1001, 88, 0.000426),
            ),
            span("execute_tool lookup", span("GET", milliseconds=19), gen_ai__operation__name="execute_tool"),
            span(
                "execute_tool refund",
                milliseconds=0.2,
                error=("ValueError", "order 7 was refunded before"),
                gen_ai__operation__name="execute_tool",
            ),
            dspy__module__path="agent",
            gen_ai__operation__name="invoke_agent",
            **usage(1, 1001, 88, 0.000426),
        ),
        gen_ai__operation__name="invoke_workflow",
        **usage(2, 1213, 149, 0.000601),
    )


SUPPORT_DESK = """\
invoke_workflow SupportDesk                                2.77 s  Σ 2 calls  1,213 → 149  $0.000601
├─ ChainOfThought question -> category (classify)          1.12 s  Σ 1 call     212 →  61  $0.000175
│  └─ Predict question -> reasoning, category (.predict)   1.12 s  Σ 1 call     212 →  61  $0.000175
│     └─ chat gpt-5-mini                                   1.12 s               212 →  61  $0.000175
└─ invoke_agent SupportAgent (agent)                       1.65 s  Σ 1 call   1,001 →  88  $0.000426
   ├─ Predict JudgeAnswer (.react)                         1.63 s  Σ 1 call   1,001 →  88  $0.000426
   │  └─ chat gpt-5-mini                                   1.63 s             1,001 →  88  $0.000426  3 tries
   ├─ execute_tool lookup                                 19.0 ms
   │  └─ GET                                              19.0 ms
   └─ execute_tool refund                                  200 µs                                     \
✗ ValueError (survived): order 7 was refunded before
total · 2 LM calls · 1,213 → 149 tokens · $0.000601 · 1 survived error · 2.77 s · \
trace 00000000000000000000000000000001

"""


def test_a_workflow_shows_each_span_with_its_figures_and_a_total() -> None:
    assert printed(support_desk()) == SUPPORT_DESK


def test_a_cached_call_shows_cached_and_what_was_saved_and_no_cost() -> None:
    tree = span("Predict question -> answer", cached_chat(saved_cost=0.000175), **usage(1))
    assert printed(tree).splitlines() == [
        "Predict question -> answer  300 µs  Σ 1 call   1 cached, saved $0.000175",
        "└─ chat gpt-5-mini          300 µs             cached, saved $0.000175",
        "total · 1 LM call · 1 cache hit, saved $0.000175 · 300 µs · trace 00000000000000000000000000000001",
        "",
    ]


def test_a_cached_call_that_once_cost_nobody_knows_what_shows_cached_alone() -> None:
    assert printed(cached_chat()).splitlines()[0] == "chat gpt-5-mini  300 µs  cached"


def test_an_unknown_price_is_a_question_mark_and_not_zero() -> None:
    tree = span("Predict question -> answer", chat(10, (88, 12)), **usage(1, 88, 12, 0.0, cost_unknown_calls=1))
    assert printed(tree).splitlines() == [
        "Predict question -> answer  10.0 ms  Σ 1 call   88 → 12  $?",
        "└─ chat gpt-5-mini          10.0 ms             88 → 12  $?",
        "total · 1 LM call · 88 → 12 tokens · 1 call of unknown price · 10.0 ms · "
        "trace 00000000000000000000000000000001",
        "",
    ]


def test_a_sum_that_lacks_a_price_says_so() -> None:
    tree = span("Predict question -> answer", chat(10, (88, 12)), chat(10, (10, 1), 0.25), **usage(2, 98, 13, 0.25, 1))
    lines = printed(tree).splitlines()
    assert lines[0] == "Predict question -> answer  20.0 ms  Σ 2 calls  98 → 13  $0.250+?"
    assert lines[3].startswith("total · 2 LM calls · 98 → 13 tokens · $0.250 · 1 call of unknown price · ")


def test_a_price_of_zero_is_shown_as_zero() -> None:
    assert printed(chat(10, (88, 12), 0.0)).splitlines()[0] == "chat gpt-5-mini  10.0 ms  88 → 12  $0.00"


def test_a_price_in_another_currency_is_not_shown_as_dollars() -> None:
    call = chat(10, (88, 12), 0.5, gen_ai__usage__cost__currency="EUR")
    assert printed(call).splitlines()[0] == "chat gpt-5-mini  10.0 ms  88 → 12  $?"


def test_an_error_tells_its_message_where_it_came_up_and_its_type_where_it_went_through() -> None:
    tree = span("ChainOfThought question -> answer", chat(5, error=RATE_LIMIT), error=RATE_LIMIT, **usage(1))
    assert printed(tree).splitlines() == [
        "ChainOfThought question -> answer  5.00 ms  Σ 1 call   ✗ litellm.RateLimitError",
        "└─ chat gpt-5-mini                 5.00 ms             ✗ litellm.RateLimitError: "
        "limit of 200000 tokens per minute reached",
        "total · 1 LM call · 1 error · 5.00 ms · trace 00000000000000000000000000000001",
        "",
    ]


def test_an_error_that_a_parent_replaced_shows_both_messages() -> None:
    tree = span("invoke_agent A", chat(5, error=RATE_LIMIT), error=("RuntimeError", "gave up"), dspy__module__name="A")
    lines = printed(tree).splitlines()
    assert lines[0].endswith("✗ RuntimeError: gave up")
    assert lines[1].endswith("✗ litellm.RateLimitError: limit of 200000 tokens per minute reached")


def test_survived_errors_are_told_from_those_that_ended_the_trace() -> None:
    survived = span("Predict a -> b", chat(5, error=RATE_LIMIT))
    fatal = span("Predict b -> c", chat(5, error=RATE_LIMIT), error=RATE_LIMIT)
    lines = printed(span("invoke_workflow W", survived, fatal, error=RATE_LIMIT)).splitlines()
    assert [line.partition("✗ ")[2] for line in lines[:5]] == [
        "litellm.RateLimitError",
        "",
        "litellm.RateLimitError (survived): limit of 200000 tokens per minute reached",
        "litellm.RateLimitError",
        "litellm.RateLimitError: limit of 200000 tokens per minute reached",
    ]
    assert " · 2 errors, 1 survived · " in lines[5]


def test_the_exception_that_the_sdk_recorded_serves_as_the_error() -> None:
    out = io.StringIO()
    tracer = tracer_for(DSPyConsoleSpanExporter(out=out))
    attributes = {"gen_ai.operation.name": "execute_tool"}
    with pytest.raises(KeyError), tracer.start_as_current_span("execute_tool lookup", attributes=attributes):
        raise KeyError("order 7")
    assert out.getvalue().splitlines()[0].endswith("  ✗ KeyError: 'order 7'")


def test_an_error_that_says_nothing_is_an_error() -> None:
    recorded = span("execute_tool lookup", milliseconds=1, error=("", ""), gen_ai__operation__name="execute_tool")
    assert printed(recorded).splitlines()[0] == "execute_tool lookup  1.00 ms  ✗ error"


def test_parents_without_a_roll_up_show_the_sum_of_what_is_below() -> None:
    tree = span("POST /ask", span("Predict a -> b", chat(10, (10, 1), 0.5)), chat(10, (20, 2), 0.25))
    assert printed(tree).splitlines()[:2] == [
        "POST /ask              20.0 ms  Σ 2 calls  30 → 3  $0.750",
        "├─ Predict a -> b      10.0 ms  Σ 1 call   10 → 1  $0.500",
    ]


def test_a_roll_up_that_knows_more_than_the_spans_counts() -> None:
    """An optimizer's examples run in traces of their own."""
    tree = span("optimize MIPROv2", chat(10, (10, 1), 0.5), **usage(1000, 20_000, 3_000, 41.5))
    lines = printed(tree).splitlines()
    assert lines[0] == "optimize MIPROv2    10.0 ms  Σ 1,000 calls  20,000 → 3,000  $41.50"
    assert lines[2].startswith("total · 1,000 LM calls · 20,000 → 3,000 tokens · $41.50 · ")


def test_children_stand_in_the_order_in_which_they_started_whenever_they_ended() -> None:
    out = io.StringIO()
    tracer = tracer_for(DSPyConsoleSpanExporter(out=out))
    with tracer.start_as_current_span("Parallel", attributes={"dspy.module.name": "Parallel"}):
        children = [tracer.start_span(name, start_time=time_ns) for name, time_ns in (("b", 20), ("a", 10), ("c", 30))]
        for child in children[::-1]:
            child.end(40)
    assert [line.split()[1] for line in out.getvalue().splitlines()[1:4]] == ["a", "b", "c"]


def embeddings(tokens: int = 40, **attributes: AttributeValue) -> Recorded:
    attributes = {"gen_ai__operation__name": "embeddings", "gen_ai__usage__input_tokens": tokens, **attributes}
    return span("embeddings e-3", milliseconds=1, **attributes)


def test_embeddings_show_their_tokens_and_price_but_are_no_language_model_calls() -> None:
    assert printed(embeddings(gen_ai__usage__cost__amount=0.25)).splitlines() == [
        "embeddings e-3  1.00 ms  40 → 0  $0.250",
        "total · 40 tokens embedded · $0.250 · 1.00 ms · trace 00000000000000000000000000000001",
        "",
    ]


def test_embeddings_without_a_price_say_that_it_is_not_known() -> None:
    assert printed(embeddings()).splitlines()[:2] == [
        "embeddings e-3  1.00 ms  40 → 0  $?",
        "total · 40 tokens embedded · 1 call of unknown price · 1.00 ms · trace 00000000000000000000000000000001",
    ]


def test_a_function_that_embeds_has_no_price_and_none_is_missing() -> None:
    function = span("embeddings embed", milliseconds=1, gen_ai__operation__name="embeddings", dspy__cache__hit=False)
    assert printed(function).splitlines()[0] == "embeddings embed  1.00 ms"


def test_embeddings_that_the_cache_answered_have_no_price() -> None:
    hit = span("embeddings e-3", milliseconds=1, gen_ai__operation__name="embeddings", dspy__cache__hit=True)
    assert printed(hit).splitlines()[0] == "embeddings e-3  1.00 ms"


def test_parents_have_embeddings_among_what_went_in_and_the_total_has_them_apart() -> None:
    tree = span("POST /ask", embeddings(gen_ai__usage__cost__amount=0.25), chat(10, (20, 2), 0.5))
    lines = printed(tree).splitlines()
    assert lines[0] == "POST /ask           11.0 ms  Σ 1 call   60 → 2  $0.750"
    assert lines[-2].startswith("total · 1 LM call · 20 → 2 tokens · 40 tokens embedded · $0.750 · 11.0 ms")


def test_a_program_that_only_embeds_has_the_sum() -> None:
    tree = span("Find", embeddings(gen_ai__usage__cost__amount=0.25), embeddings(2, gen_ai__usage__cost__amount=0.5))
    assert printed(tree).splitlines()[0] == "Find               2.00 ms  42 → 0  $0.750"


def test_a_roll_up_knows_embeddings_in_other_traces() -> None:
    rolled = {"dspy__usage__lm_calls": 0, "dspy__usage__embedding_calls": 9, "dspy__usage__embedding_tokens": 900}
    tree = span("optimize MIPROv2", embeddings(gen_ai__usage__cost__amount=0.25), **rolled, dspy__usage__cost=4.5)
    lines = printed(tree).splitlines()
    assert lines[0] == "optimize MIPROv2   1.00 ms  900 → 0  $4.50"
    assert lines[-2].startswith("total · 900 tokens embedded · $4.50")


def test_a_trace_without_dspy_takes_one_line() -> None:
    health = span("GET /health", span("SELECT 1", milliseconds=0.5), milliseconds=1, http__request__method="GET")
    failed = span("GET /broken", milliseconds=1, error=("500", "no database"))
    assert printed(health, failed).splitlines() == [
        "GET /health · 1.50 ms · 2 spans · trace 00000000000000000000000000000001",
        "GET /broken · 1.00 ms · 1 span · 1 error · ✗ 500: no database · trace 00000000000000000000000000000002",
    ]


def test_numbers_of_other_libraries_that_are_none_are_left_out() -> None:
    call = chat(1, gen_ai__usage__input_tokens="many", gen_ai__usage__cost__amount=float("nan"))
    assert printed(call).splitlines()[0] == "chat gpt-5-mini  1.00 ms  $?"
