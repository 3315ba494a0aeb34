"""The reference says what the code does: the pages are those that the source gives, and no name is missing in them."""

from __future__ import annotations

import inspect
import re
import runpy
from typing import TYPE_CHECKING

import dspy
import pytest
from every_kind import run_every_kind, script
from generator.configuration_page import ARGUMENTS, OPENTELEMETRY, own_options
from generator.convention_names import CONVENTION_NAMES, OPENINFERENCE_NAMES, RARE
from generator.emitted import CONVENTIONS, Emitted
from generator.events_page import EVENT_MEANINGS
from generator.metrics_page import BOUNDS, CONVENTION_METRICS
from generator.places import SPANS
from generator.semconv_names import names
from known_variables import OPENTELEMETRY_VARIABLES
from pages import ROOT
from search_server import SearchServer

from opentelemetry.instrumentation.dspy import arguments
from opentelemetry.instrumentation.dspy.language_models import outcomes

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry
    from model_server import ModelServer

PAGES: dict[str, Callable[[], str]] = runpy.run_path(str(ROOT / "docs" / "generate.py"))["PAGES"]
OWN = {name.value: name for name in names()}
CONVENTION_ATTRIBUTES = {name: text for group in CONVENTION_NAMES.values() for name, text in group.items()}


@pytest.fixture(scope="module")
def emitted() -> Emitted:
    return Emitted.read()


def names_at(emitted: Emitted, *kinds: str) -> set[str]:
    """The names of all places of some kinds."""
    return {name for place, seen in emitted.places.items() if place.startswith(kinds) for name in seen["names"]}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_the_one_that_the_source_gives(page: str) -> None:
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == PAGES[page](), "run docs/generate.py"


def test_every_name_that_programs_emit_is_in_the_reference(emitted: Emitted) -> None:
    attributes = (ROOT / "docs" / "telemetry.md").read_text(encoding="utf-8")
    explained = {*re.findall(r"^\| `([\w.]+?)(?:\.\{name\})?` \|", attributes, re.MULTILINE)}
    assert names_at(emitted, "span ", "log event ") - explained == set()
    assert {
        place.partition(" ")[2] for place in emitted.places if place.startswith("span ") and "event" not in place
    } == {*SPANS}


def test_every_metric_and_event_that_programs_emit_is_explained(emitted: Emitted) -> None:
    metrics = {place.removeprefix("metric ") for place in emitted.places if place.startswith("metric ")}
    assert metrics == {*CONVENTION_METRICS, *(name for name, own in OWN.items() if own.constant.startswith("METRIC_"))}
    events = {place.rpartition(" ")[2] for place in emitted.places if " event " in place}
    assert events == {*EVENT_MEANINGS, *(name for name, own in OWN.items() if own.constant.startswith("EVENT_"))}


def test_every_attribute_of_a_metric_has_a_bound(emitted: Emitted) -> None:
    assert names_at(emitted, "metric ") == {*BOUNDS}


def test_a_bound_that_counts_values_names_all_of_them() -> None:
    counted = {name: text for name, text in BOUNDS.items() if text.startswith("of ")}
    told = {name: text.split()[1].strip(",:") for name, text in counted.items()}
    numbers = {2: "two", 3: "three", 4: "four"}
    assert told == {name: numbers[text.partition(": ")[2].count(",") + 1] for name, text in counted.items()}
    declared = re.findall(r'= "(\w+)"\n"""``gen_ai.usage.cost.source`` of', inspect.getsource(outcomes))
    assert {*re.findall("`(.*?)`", BOUNDS["gen_ai.usage.cost.source"])} == {*declared}


def test_every_name_of_ours_is_emitted_by_some_program(emitted: Emitted) -> None:
    attributes = {name.value for name in names() if name.is_attribute}
    assert attributes - names_at(emitted, "span ", "log event ", "metric ") == set()


def test_no_name_is_explained_that_no_program_emits(emitted: Emitted) -> None:
    told = {*CONVENTION_ATTRIBUTES, *OPENINFERENCE_NAMES}
    assert told - names_at(emitted, "span ", "log event ", "metric ") == RARE


def test_a_name_has_the_type_that_its_description_says(emitted: Emitted) -> None:
    wrong = []
    for place, seen in emitted.places.items():
        for name, types in seen["names"].items():
            own = OWN.get(name)
            if own is None or not own.is_attribute or own.kind == "prefix" or place.startswith("metric "):
                continue
            said = own.kind.partition(",")[0]
            # An empty list tells no type.
            wrong += [f"{name} on {place} is {kind}, not {said}" for kind in types if kind not in (said, "[]")]
    assert wrong == []


def test_a_program_with_a_span_of_every_kind_emits_no_other_name(
    start_telemetry: StartTelemetry,
    lm: dspy.LM,
    model_server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    emitted: Emitted,
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_ADAPTER_SPANS", "true")
    telemetry = start_telemetry(capture="SPAN_AND_EVENT", openinference=True)
    model_server.reply = script()
    with SearchServer() as server:
        run_every_kind(dspy.ColBERTv2(url=f"{server.url}/wiki17_abstracts"))
    known = names_at(emitted, "span ")
    for span in telemetry.spans:
        for name in span.attributes or {}:
            plain = re.sub(r"^(dspy\.optimizer\.param)\..*", r"\1", re.sub(r"\.\d+(?=\.|$)", ".N", name))
            assert plain in known, f"{name} on {span.name}"


def test_a_name_that_is_not_in_the_reference_is_noticed(start_telemetry: StartTelemetry, emitted: Emitted) -> None:
    telemetry = start_telemetry()
    recorded = telemetry.emitted()
    types = {"dspy.new": ["int"], "dspy.module.name": ["int"]}
    other = Emitted({"span module": {"names": types, "always": [*types]}})
    assert recorded.missing_from(emitted) == []
    assert other.missing_from(emitted) == [
        "dspy.new on span module is not known",
        "dspy.module.name on span module is int",
    ]
    assert "dspy.new".startswith(CONVENTIONS)


def test_every_option_in_the_source_is_in_the_configuration() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    called = {*re.findall(r"OTEL_INSTRUMENTATION_DSPY_[A-Z_]*[A-Z]", source)}
    made = {f"OTEL_INSTRUMENTATION_DSPY_{name}" for name in re.findall(r'PREFIX \+ "([A-Z_]+)"', source)}
    assert called | made == {*own_options()}
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert [name for name in called | made if f"| `{name}` |" not in page] == []


def test_every_argument_of_instrument_is_in_the_configuration() -> None:
    assert {*ARGUMENTS} == {*arguments._OWN}


def test_the_options_of_opentelemetry_are_options_of_opentelemetry() -> None:
    assert {*OPENTELEMETRY} - OPENTELEMETRY_VARIABLES == set()


def test_every_cell_of_the_comparison_stands_where_a_command_wrote_it() -> None:
    compared = (ROOT / "docs" / "compared.md").read_text(encoding="utf-8")
    measured = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("screens.md", "performance.md"))
    rows = re.findall(r"^\| [^|]* \| ([^|]+) \| ([^|]+) \|$", compared, re.MULTILINE)
    cells = [cell for row in rows for cell in row if re.search(r"\d|none", cell)]
    assert len(cells) > 30
    assert [cell for cell in cells if cell not in measured] == []
