"""A trace that begins in a program and goes on in the server of its model, in a real Phoenix."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from local_model import LocalModel
from two_processes import CALLS, CHAT, FOLDER, PROGRAM, ROOT, Viewed, exporting, look, run_program, services_in

from screens.http import ask
from screens.pictures import BROWSER, Page, browser, keep, visit
from screens.servers import free_port, phoenix, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page as PlaywrightPage

pytestmark = [pytest.mark.timeout(500), pytest.mark.complaints]  # OpenInference's instrumentation is there too

PICTURE = ROOT / "build" / "screens" / "phoenix-two-processes.png"
GATEWAY = "model-gateway"
SERVED, PASSED_ON = "POST /v1/chat/completions", "POST"


def ask_through_a_gateway(folder: Path, endpoint: str) -> str:
    """Run the program and a gateway for it until both have ended; return what they told."""
    port = free_port()
    uvicorn = [str(Path(sys.executable).with_name("uvicorn")), "--app-dir", str(FOLDER), "--port", str(port)]
    with LocalModel() as model:
        settings = exporting(
            GATEWAY,
            endpoint,
            MODEL=model.address,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_TRACES_EXPORTER="otlp,console",
            OTEL_METRICS_EXPORTER="none",
            OTEL_LOGS_EXPORTER="none",
            OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="dspy,fastapi",
        )
        command = ["opentelemetry-instrument", *uvicorn, "model_gateway:app"]
        with running(command, settings, folder, f"http://127.0.0.1:{port}", "/health") as url:
            told = run_program(url, endpoint)
    return f"{told}\n{(folder / 'server.log').read_text()}"


def tree_on(page: PlaywrightPage) -> list[tuple[int, str]]:
    """Return the rows of the tree that the page shows, from the top: how far each is indented, and its name."""
    tree = page.get_by_test_id("trace-tree").first
    names = ("invoke_workflow Desk", "Predict name", "ChainOfThought answer", "Predict answer", CHAT, SERVED, PASSED_ON)
    places = {}
    for name in names:
        for row in tree.get_by_text(name, exact=True).all():
            box = row.bounding_box()
            assert box is not None, f"{name} is not to be seen"
            places[box["y"]] = (box["x"], name)
    columns = sorted({x for x, _ in places.values()})
    return [(columns.index(places[y][0]), places[y][1]) for y in sorted(places)]


@pytest.fixture(scope="module")
def viewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewed]:
    with phoenix(tmp_path_factory.mktemp("phoenix")) as address:
        services = services_in(ask_through_a_gateway(tmp_path_factory.mktemp("gateway"), address))
        yield look(address, services)


def test_all_that_both_services_sent_is_there(viewed: Viewed) -> None:
    assert set(viewed.services.values()) == {PROGRAM, GATEWAY}
    assert viewed.services.keys() == viewed.spans.keys()


@pytest.mark.parametrize("program", ["Desk", "Direct", "StreamedDesk", "StreamedDirect"])
def test_the_spans_of_the_gateway_are_below_those_of_the_chats_in_one_trace(viewed: Viewed, program: str) -> None:
    trace = viewed.trace_of(f"invoke_workflow {program}")
    by_service = {
        name: {viewed.services[span["context"]["span_id"]] for span in trace if span["name"] == name}
        for name in (CHAT, SERVED, PASSED_ON)
    }

    assert by_service == {CHAT: {PROGRAM}, SERVED: {GATEWAY}, PASSED_ON: {GATEWAY}}
    assert viewed.parents(trace, SERVED) == [CHAT] * CALLS
    assert viewed.parents(trace, PASSED_ON) == [SERVED] * CALLS
    chats = {span["context"]["span_id"] for span in trace if span["name"] == CHAT}
    assert {span["parent_id"] for span in trace if span["name"] == SERVED} == chats
    assert [span["name"] for span in trace if span["parent_id"] is None] == [f"invoke_workflow {program}"]


def test_a_gateway_that_was_not_named_begins_traces_of_its_own(viewed: Viewed) -> None:
    trace = viewed.trace_of("invoke_workflow UntoldDesk")
    assert {viewed.services[span["context"]["span_id"]] for span in trace} == {PROGRAM}

    own = [span for span in viewed.spans.values() if span["name"] == SERVED and span["parent_id"] is None]
    assert len({span["context"]["trace_id"] for span in own}) == CALLS


def test_a_person_sees_both_services_in_one_tree(viewed: Viewed) -> None:
    [root] = [span for span in viewed.trace_of("invoke_workflow Desk") if span["parent_id"] is None]
    [project] = [
        project["id"] for project in ask(f"{viewed.address}/v1/projects")["data"] if project["name"] == "default"
    ]
    trace = f"{viewed.address}/projects/{project}/traces/{root['context']['trace_id']}"
    with browser() as shown:
        if shown is None:
            pytest.skip(f"there is no {BROWSER} to look with")
        visit(shown, Page(trace, root["name"], (SERVED,)))
        shown.get_by_role("tab", name="Attributes", exact=True).click()
        shown.get_by_text("http.route", exact=True).wait_for()
        keep(shown.screenshot(), PICTURE)
        rows = tree_on(shown)
    assert rows == [
        (0, "invoke_workflow Desk"),
        (1, "Predict name"),
        (2, CHAT),
        (3, SERVED),
        (4, PASSED_ON),
        (1, "ChainOfThought answer"),
        (2, "Predict answer"),
        (3, CHAT),
        (4, SERVED),
        (5, PASSED_ON),
    ]
