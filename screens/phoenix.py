"""Reads back from Phoenix what its pages show, through the GraphQL interface that they use themselves."""

from __future__ import annotations

import json
from typing import Any

from .http import ask
from .seen import Event, Row, Seen, Session, Span, flat

__all__ = ["read", "seen"]

_QUERY = """
query ($id: ID!) { node(id: $id) { ... on Project {
  traceCount recordCount tokenCountPrompt tokenCountCompletion costSummary { total { cost } }
  sessions(first: 100) { edges { node { sessionId userId numTraces traces(first: 100) { edges { node { rootSpan {
    input { value } output { value } } } } } } } }
  spans(first: 1000) { edges { node { name spanKind statusCode parentId spanId trace { traceId }
    input { value } output { value } attributes events { name message }
    tokenPromptDetails { cacheRead } costSummary { total { cost } } } } }
} } }
"""


def read(url: str, project: str) -> dict[str, Any]:
    """Return what Phoenix has of a project, as it answers; an empty answer where there is none of this name."""
    known = {entry["name"]: entry["id"] for entry in ask(f"{url}/v1/projects")["data"]}
    if project not in known:
        return {}
    answer = ask(f"{url}/graphql", {"query": _QUERY, "variables": {"id": known[project]}})
    if "errors" in answer:
        raise RuntimeError(f"Phoenix does not understand the question: {answer['errors']}")
    events = {
        span["context"]["span_id"]: span["events"]
        for span in ask(f"{url}/v1/projects/{known[project]}/spans?limit=1000")["data"]
    }
    return {**answer["data"]["node"], "id": known[project], "events": events}


def seen(answer: dict[str, Any]) -> Seen:
    """Return what an answer of `read` shows."""
    spans = tuple(_span(edge["node"], answer["events"]) for edge in answer["spans"]["edges"])
    return Seen(
        spans,
        tuple(Row(span.trace, span.name, span.input, span.output) for span in spans if span.parent is None),
        int(answer["tokenCountPrompt"] or 0),
        int(answer["tokenCountCompletion"] or 0),
        sum((edge["node"]["tokenPromptDetails"] or {}).get("cacheRead") or 0 for edge in answer["spans"]["edges"]),
        answer["costSummary"]["total"]["cost"] or 0.0,
        tuple(_session(edge["node"]) for edge in answer["sessions"]["edges"]),
    )


def _span(node: dict[str, Any], events: dict[str, list[dict[str, Any]]]) -> Span:
    return Span(
        node["spanId"],
        node["parentId"],
        node["trace"]["traceId"],
        node["name"],
        node["spanKind"],
        _value(node["input"]),
        _value(node["output"]),
        node["statusCode"] == "ERROR",
        flat(json.loads(node["attributes"])),
        tuple(Event(event["name"], event.get("attributes") or {}) for event in events.get(node["spanId"], ())),
        ((node["costSummary"] or {}).get("total") or {}).get("cost"),
    )


def _session(node: dict[str, Any]) -> Session:
    turns = [edge["node"]["rootSpan"] for edge in node["traces"]["edges"]]
    told = [turn for turn in turns if turn and _value(turn["input"]) and _value(turn["output"])]
    return Session(node["sessionId"], node["userId"] or "", node["numTraces"], len(told))


def _value(side: dict[str, Any] | None) -> str:
    return (side or {}).get("value") or ""
