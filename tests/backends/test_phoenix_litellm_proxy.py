"""A trace that begins in a program and goes on in a real LiteLLM proxy, in a real Phoenix.

The proxy has an environment of its own, which ``nox -s screens`` makes: ``LITELLM_PROXY`` is where its program is.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from local_model import NAME, LocalModel
from two_processes import CALLS, CHAT, KEY, PROGRAM, Viewed, exporting, look, run_program, services_in

from screens.phoenix import read
from screens.servers import free_port, phoenix, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.timeout(590),
    pytest.mark.complaints,  # OpenInference's instrumentation is there too
    pytest.mark.skipif("LITELLM_PROXY" not in os.environ, reason="there is no LiteLLM proxy"),
]

RECEIVED, ASKED = "Received Proxy Server Request", "litellm_request"
PROGRAMS = 5
CONFIGURATION = """
model_list:
  - model_name: {name}
    litellm_params: {{model: openai/{name}, api_base: {address}, api_key: not-needed}}
litellm_settings:
  callbacks: ["otel"]
"""


def ask_through_the_proxy(folder: Path, endpoint: str) -> str:
    """Run the program and a proxy for it until both have ended; return what the program told."""
    port = str(free_port())
    configuration = folder / "config.yaml"
    with LocalModel() as model:
        configuration.write_text(CONFIGURATION.format(name=NAME, address=model.url))
        settings = exporting(
            "litellm-proxy", endpoint, LITELLM_MASTER_KEY=KEY, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf"
        )
        command = [os.environ["LITELLM_PROXY"], "--config", str(configuration), "--host", "127.0.0.1", "--port", port]
        with running(command, settings, folder, f"http://127.0.0.1:{port}", "/health/liveliness") as url:
            return run_program(url, endpoint)


@pytest.fixture(scope="module")
def viewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewed]:
    with phoenix(tmp_path_factory.mktemp("phoenix")) as address:
        services = services_in(ask_through_the_proxy(tmp_path_factory.mktemp("proxy"), address))
        yield look(address, services, {RECEIVED: PROGRAMS * CALLS, ASKED: PROGRAMS * CALLS})


@pytest.mark.parametrize("program", ["Desk", "Direct", "StreamedDesk", "StreamedDirect"])
def test_the_spans_of_the_proxy_are_below_those_of_the_chats_in_one_trace(viewed: Viewed, program: str) -> None:
    trace = viewed.trace_of(f"invoke_workflow {program}")
    chats = {span["context"]["span_id"] for span in trace if span["name"] == CHAT}
    received = [span for span in trace if span["name"] == RECEIVED]

    assert len(chats) == CALLS
    assert sorted(span["parent_id"] for span in received) == sorted(chats)
    assert viewed.parents(trace, ASKED) == [RECEIVED] * CALLS
    assert not viewed.services.keys() & {span["context"]["span_id"] for span in received}
    assert [span["name"] for span in trace if span["parent_id"] is None] == [f"invoke_workflow {program}"]


def test_a_proxy_that_was_not_named_begins_traces_of_its_own(viewed: Viewed) -> None:
    trace = viewed.trace_of("invoke_workflow UntoldDesk")
    assert {viewed.services[span["context"]["span_id"]] for span in trace} == {PROGRAM}


def test_phoenix_counts_the_tokens_once_although_the_proxy_tells_them_too(viewed: Viewed) -> None:
    def prompt_tokens(name: str) -> int:
        told = [span["attributes"] for span in viewed.spans.values() if span["name"] == name]
        return sum(int(attributes.get("gen_ai.usage.input_tokens", 0)) for attributes in told)

    assert prompt_tokens(ASKED) >= prompt_tokens(CHAT) > 0
    assert read(viewed.address, "default")["tokenCountPrompt"] == prompt_tokens(CHAT)
