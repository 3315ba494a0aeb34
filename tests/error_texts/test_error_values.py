"""Values are cut from texts of errors quickly, also by the word, and the text's own words stay."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from broken import exception_logs, stack_of, where_it_broke
from dspy.utils import DummyLM
from model_server import Failure

from opentelemetry.instrumentation.dspy.error_texts.literals import without_literals, without_prose
from opentelemetry.instrumentation.dspy.error_texts.quotations import without_values
from opentelemetry.instrumentation.dspy.errors import Surroundings, message_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

REPETITIVE = {
    "dashes": "-" * 200_000,
    "zeros": "0, " * 70_000,
    "prose": "all work and no play makes nobody glad. " * 10_000,
    "lines": "\n" * 200_000,
    "brackets": "{[" * 100_000,
    "quotes": "'a \"b `" * 30_000,
    "backslashes": "\\" * 200_000,
    "percents": "%41+" * 50_000,
    "one letter": "a" * 200_000,
}

REPETITION_TOLD = re.compile(r"cannot parse ?…(?:… \[\d+ more characters\])?")


def seconds(work: Callable[[], object]) -> float:
    """The least processor time of three tries: other processes have part in each."""
    taken = []
    for _ in range(3):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


@pytest.mark.parametrize("length", [2_000, 20_000, 200_000])
@pytest.mark.parametrize("value", REPETITIVE.values(), ids=REPETITIVE)
def test_a_text_that_repeats_itself_is_told_at_once(value: str, length: int) -> None:
    error = ValueError(f"cannot parse {value[:length]}")
    around = Surroundings([((), {"table": value, "more": "a" * 4})])
    assert REPETITION_TOLD.fullmatch(message_of(error, around))
    assert seconds(lambda: message_of(error, around)) < 0.25


@pytest.mark.parametrize("value", REPETITIVE.values(), ids=REPETITIVE)
def test_a_tool_that_quotes_such_a_text_fails_at_once(telemetry: Recorded, value: str) -> None:
    def parse(table: str) -> None:
        raise ValueError("cannot parse " + table[:20_000])

    def call() -> None:
        with pytest.raises(ValueError, match="cannot parse"):
            dspy.Tool(parse)(table=value)

    assert seconds(call) < 0.75
    assert REPETITION_TOLD.fullmatch(telemetry.named("execute_tool parse")[0].status.description or "")


@pytest.mark.parametrize("value", REPETITIVE.values(), ids=REPETITIVE)
def test_a_server_that_answers_with_such_a_text_is_told_at_once(value: str) -> None:
    error = ConnectionError(f"cannot read {value}")
    assert seconds(lambda: message_of(error, Surroundings(asks_server=True))) < 0.25


def test_values_of_many_short_words_cost_little() -> None:
    values = [f"word{number}" for number in range(50_000)]
    text = "no row for word77 in any of the tables " * 100
    assert seconds(lambda: without_values(text, values)) < 0.5


def test_where_the_values_are_more_than_can_be_compared_nothing_is_told() -> None:
    assert without_values("no row for Maria", ["x" * 5_000_000, "Maria"]) == "…"


def test_a_value_that_a_long_text_breaks_off_in_is_not_told_in_part() -> None:
    name = "Wilhelmina"
    text = f"{'Bartholomew Featherstone and so on, ' * 200}{name}"
    for length in range(4_560, 4_620):
        told = message_of(ValueError(f"{'?' * (length - 4)}{name} {text}"), Surroundings([name, text]))
        assert "Wil" not in told
        assert told.endswith(" more characters]")


@pytest.mark.parametrize(
    ("text", "values", "told"),
    [
        ("no row for user_Maria in Yorktown", ["Maria", "York"], "no row for user_… in …town"),
        ("no row for userMARIA", ["Maria"], "no row for user…"),
        ("unknown: ['Who', 'is', 'Maria', 'Lopez']", ["Who is Maria Lopez"], "unknown: ['Who', 'is', '…', '…']"),
        ("no page who-is-maria-lopez", ["Who is Maria Lopez?"], "no page who-is-…-…"),
        ("last was 4211", ["order 4211"], "last was …"),
        ("n4211", [4211], "n…"),
        ("cmariad", ["maria"], "c…d"),
        ("for Zoë, für ZOË_LANG", ["Zoë Lang"], "for …, für …_…"),
        ("of user Ann", ["Where is Ann?"], "of user …"),
    ],
)
def test_short_values_and_words_of_values_are_cut_wherever_they_stand(text: str, values: list[Any], told: str) -> None:
    assert message_of(LookupError(text), Surroundings([values])) == told


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("the report cannot be generated in this format", ["What is the best port to rate in format?"]),
        ("no such person in the table of customers", ["Which person is the first customer of this table?"]),
        ("invalid max_tokens for this model", ["How many tokens has the largest model, at max?"]),
        ("region 7 has no planning", ["Ann", "7", "an"]),
    ],
)
def test_the_words_of_every_text_stay(text: str, values: list[str]) -> None:
    assert message_of(LookupError(text), Surroundings([values])) == text


def test_the_words_of_a_long_document_are_no_values() -> None:
    document = "The quick foxes jump over lazy hedgehogs near the river. " * 20
    assert without_values("hedgehogs are not supported", [document]) == "hedgehogs are not supported"
    assert without_values("jump over lazy hedgehogs!", [document]) == "…!"


@pytest.mark.parametrize("quoted", ["'{}'", '"{}"', "`{}`"])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "Invalid {temperature}: you wrote {Maria has a test} which is not allowed",
            "Invalid {temperature}: you wrote '…' which is not allowed",
        ),
        (
            "Unsupported parameter: {max_tokens} is not supported. Use {max_completion_tokens} instead.",
            "Unsupported parameter: {max_tokens} is not supported. Use {max_completion_tokens} instead.",
        ),
        ("{a} and {b} and {Maria Lopez}", "{a} and {b} and '…'"),
        ("It isn't {Maria's test of it}, {x} is", "It isn't '…', {x} is"),
        ("the users' text {Maria has", "the users' text '…'"),
        (f"too long: {{{'m' * 41}}}", "too long: '…'"),
    ],
)
def test_what_a_server_quotes_is_told_apart_before_it_is_told(text: str, told: str, quoted: str) -> None:
    before, after = quoted.split("{}")

    def filled(pattern: str) -> str:
        return pattern.replace("{", before).replace("}", after)

    assert without_prose(filled(text)) == filled(told)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            'if x == "mallory": raise ValueError("first we look at " + x)',
            "if x == '…': raise ValueError('…' + x)",
        ),
        ("f('a', 'it\\'s a b', \"c\")", "f('a', '…', \"c\")"),
        ('raise ValueError("""first of all', "raise ValueError('…'"),
        ("raise ValueError('first of", "raise ValueError('…'"),
        ("call(name='mallory', x='')  # it's a note", "call(name='…', x='')  # it's a note"),
        ('x = f"{a}" + r"\\d" + "user_mallory"', 'x = f"{a}" + r"\\d" + \'…\''),
        ("x = '''one'''; y = 'two words'", "x = '''one'''; y = '…'"),
    ],
)
def test_literals_in_a_line_of_source_are_told_apart_before_they_are_told(line: str, told: str) -> None:
    assert without_literals(line, lambda content: "mallory" not in content) == told


def fail(text: str) -> float:
    """Raise, in an expression."""
    raise AssertionError(text)


JUDGED = "HIVpositive"


@pytest.mark.parametrize("where", ["metric", "metric that asks a judge", "tool", "tool that asks a model"])
def test_what_a_program_that_no_other_calls_answered_is_in_no_text_around_it(telemetry: Recorded, where: str) -> None:
    predict, judge = dspy.Predict("question -> answer"), dspy.Predict("answer -> verdict")

    def metric(example: Any, prediction: Any, trace: object = None) -> float:
        if where == "metric":
            return fail(f"expected {example.answer}, got {prediction.answer}")
        return fail(f"judge says {judge(answer=prediction.answer).verdict}")

    def ask(name: str) -> float:
        if where == "tool":
            return fail(f"judge says {judge(answer=name).verdict}")
        return fail(f"model says {dspy.settings.lm('Who?')}")

    replies = [{"answer": "Schneider"}, {"verdict": JUDGED}] if "metric" in where else [{"verdict": JUDGED}]
    with dspy.context(lm=DummyLM(replies)):
        if "metric" in where:
            examples = [dspy.Example(question="Who is it?", answer="Yaroslav").with_inputs("question")]
            dspy.Evaluate(devset=examples, metric=metric, num_threads=1, max_errors=9)(predict)
        else:
            with pytest.raises(AssertionError):
                dspy.Tool(ask)(name="Quillon")
    everything = telemetry.everything()
    assert [name for name in ("Schneider", "Yaroslav", JUDGED, "Quillon") if name in everything] == []
    failed = "evaluate_example" if "metric" in where else "execute_tool ask"
    told = telemetry.named(failed)[0].status.description or ""
    assert told.startswith(("expected …, got …", "judge says …", "model says"))


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("The content is too long for user, role must be text", "The content is too long for user, role must be text"),
        ("Invalid role: system is not allowed", "Invalid role: system is not allowed"),
        ("your messages resulted in too many tokens", "your messages resulted in too many tokens"),
        ("temperature must be less than max_tokens", "temperature must be less than max_tokens"),
        ("Invalid role: Quillon is not allowed", "Invalid role: … is not allowed"),
    ],
)
def test_the_words_of_the_protocol_are_no_values(
    telemetry: Recorded, model_server: ModelServer, lm: dspy.LM, message: str, told: str
) -> None:
    lm.num_retries = 0
    model_server.fail_when(lambda _: True, Failure(400, message))
    messages = [
        {"role": "system", "content": "Answer for Quillon."},
        {"role": "user", "content": [{"type": "text", "text": "Who?"}]},
    ]
    with pytest.raises(Exception, match=r".+"):
        lm(messages=messages, temperature=0.7)
    assert told in (telemetry.span("chat gpt-4o-mini").status.description or "")


@pytest.mark.parametrize(
    ("capture", "spans", "on_tool", "on_chat", "on_events"),
    [
        ("", "all", False, False, False),
        ("SPAN_ONLY", "all", True, True, False),
        ("SPAN_ONLY", "chat", False, True, False),
        ("EVENT_ONLY", "all", False, False, True),
        ("EVENT_ONLY", "chat", False, False, True),
        ("SPAN_AND_EVENT", "all", True, True, True),
        ("SPAN_AND_EVENT", "chat", False, True, True),
    ],
)
def test_texts_of_errors_hold_content_where_other_content_may_stand(
    start_telemetry: StartTelemetry,
    monkeypatch: pytest.MonkeyPatch,
    capture: str,
    spans: str,
    on_tool: bool,
    on_chat: bool,
    on_events: bool,
) -> None:
    class Refusing(dspy.BaseLM):  # type: ignore[misc]
        def __call__(self, prompt: Any = None, messages: Any = None, **settings: Any) -> None:
            raise ValueError(f"refused {prompt}")

    def search(query: str) -> None:
        raise ValueError(f"searched for {query}")

    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_CONTENT_SPANS", spans)
    telemetry = start_telemetry(capture=capture)
    with pytest.raises(ValueError, match="searched"):
        dspy.Tool(search)(query="Bartholomew")
    with pytest.raises(ValueError, match="refused"):
        Refusing(model="refusing")("Bartholomew")
    for name, may_hold in (("execute_tool search", on_tool), ("chat refusing", on_chat)):
        [event] = [attributes for span, attributes in where_it_broke(telemetry) if span == name]
        description = telemetry.span(name).status.description or ""
        texts = [description, event["exception.message"], event["exception.stacktrace"]]
        assert ["Bartholomew" in text for text in texts] == [may_hold] * 3
    records = [dict(record.log_record.attributes or {}) for record in exception_logs(telemetry)]
    assert len(records) == 2
    for attributes in records:
        texts = [str(attributes[f"exception.{part}"]) for part in ("message", "stacktrace")]
        assert ["Bartholomew" in text for text in texts] == [on_events] * 2


def test_a_name_that_stands_in_the_code_is_not_in_the_line_of_it(telemetry: Recorded) -> None:
    def find(name: str) -> None:
        if name == "mallory": raise ValueError("first we look at the list for " + name)  # noqa: E701  # fmt: skip

    with pytest.raises(ValueError, match="mallory"):
        dspy.Tool(find)(name="mallory")
    assert "if name == '…': raise ValueError('…' + name)" in stack_of(telemetry)
    assert "mallory" not in telemetry.everything()
