"""Reads back from MLflow what its pages show, through its REST interface."""

from __future__ import annotations

import json
from typing import Any

from .http import ask
from .seen import Event, Row, Run, Seen, Session, Span, flat

__all__ = ["create", "read", "seen"]

_NAME, _SESSION, _USER = "mlflow.traceName", "mlflow.trace.session", "mlflow.trace.user"
_TOKENS, _COST = "mlflow.trace.tokenUsage", "mlflow.trace.cost"
_RUN = "mlflow.sourceRun"
_PAGE = 50
_TABLE = "result_table.json"
"""Where autolog keeps an evaluation's examples and their scores, among the artifacts of a run."""


def create(url: str, experiment: str) -> str:
    """Make an experiment of this name and return its id."""
    return str(ask(f"{url}/api/2.0/mlflow/experiments/create", {"name": experiment})["experiment_id"])


def read(url: str, experiment: str) -> dict[str, Any]:
    """Return what MLflow has of an experiment, as it answers; an empty answer where there is none of this name."""
    api = f"{url}/api/2.0/mlflow"
    known = ask(f"{api}/experiments/search", {"max_results": 100})["experiments"]
    ids = [entry["experiment_id"] for entry in known if entry["name"] == experiment]
    if not ids:
        return {}
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": ids[0]}}
    found = ask(f"{url}/api/3.0/mlflow/traces/search", {"locations": [place], "max_results": 500}).get("traces", [])
    traces = _whole(url, [trace["trace_id"] for trace in found])
    runs = ask(f"{api}/runs/search", {"experiment_ids": ids, "max_results": 100}).get("runs", [])
    return {"id": ids[0], "traces": traces, "runs": [{**run, "tables": _tables(url, run)} for run in runs]}


def _whole(url: str, identities: list[str]) -> list[Any]:
    pages = [identities[begin : begin + _PAGE] for begin in range(0, len(identities), _PAGE)]
    asked = ["&".join(f"trace_ids={identity}" for identity in page) for page in pages]
    return [trace for ids in asked for trace in ask(f"{url}/api/3.0/mlflow/traces/batchGet?{ids}")["traces"]]


def _tables(url: str, run: dict[str, Any]) -> list[Any]:
    identity = run["info"]["run_id"]
    files = ask(f"{url}/api/2.0/mlflow/artifacts/list?run_id={identity}").get("files", [])
    paths = [file["path"] for file in files if file["path"] == _TABLE]
    return [ask(f"{url}/get-artifact?run_uuid={identity}&path={path}") for path in paths]


def seen(answer: dict[str, Any]) -> Seen:
    """Return what an answer of `read` shows."""
    infos = [trace["trace_info"] for trace in answer["traces"]]
    tokens, costs = _told(infos, _TOKENS), _told(infos, _COST)
    return Seen(
        tuple(_span(span, trace["trace_info"]["trace_id"]) for trace in answer["traces"] for span in trace["spans"]),
        tuple(_row(info) for info in infos),
        sum(usage["input_tokens"] for usage in tokens),
        sum(usage["output_tokens"] for usage in tokens),
        sum(usage.get("cache_read_input_tokens", 0) for usage in tokens),
        sum(cost["total_cost"] for cost in costs),
        tuple(_sessions(infos)),
        tuple(_run(run) for run in answer["runs"]),
    )


def _told(infos: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    metadata = [info.get("trace_metadata", {}) for info in infos]
    return [json.loads(told[name]) for told in metadata if name in told]


def _row(info: dict[str, Any]) -> Row:
    name = info.get("tags", {}).get(_NAME, "")
    run = info.get("trace_metadata", {}).get(_RUN, "")
    return Row(info["trace_id"], name, info.get("request_preview", ""), info.get("response_preview", ""), run)


def _sessions(infos: list[dict[str, Any]]) -> list[Session]:
    turns: dict[str, list[dict[str, Any]]] = {}
    for info in infos:
        session = info.get("trace_metadata", {}).get(_SESSION)
        if session is not None:
            turns.setdefault(session, []).append(info)
    return [
        Session(
            name,
            held[0]["trace_metadata"].get(_USER, ""),
            len(held),
            sum(bool(turn.get("request_preview") and turn.get("response_preview")) for turn in held),
        )
        for name, held in turns.items()
    ]


def _run(run: dict[str, Any]) -> Run:
    metrics = {metric["key"]: metric["value"] for metric in run["data"].get("metrics", [])}
    parent = any(tag["key"] == "mlflow.parentRunId" for tag in run["data"].get("tags", []))
    return Run(run["info"]["run_name"], metrics, parent, sum(len(table["data"]) for table in run["tables"]))


def _span(span: dict[str, Any], trace: str) -> Span:
    attributes = {entry["key"]: _plain(entry.get("value", {})) for entry in span["attributes"]}
    cost = attributes.get("mlflow.llm.cost") or {}
    return Span(
        span["span_id"],
        span.get("parent_span_id") or None,
        trace,
        span["name"],
        str(attributes.get("mlflow.spanType", "")),
        _text(attributes.get("mlflow.spanInputs")),
        _text(attributes.get("mlflow.spanOutputs")),
        span["status"].get("code") == "STATUS_CODE_ERROR",
        flat(attributes),
        tuple(_event(event) for event in span.get("events", [])),
        cost.get("total_cost") if isinstance(cost, dict) else None,
    )


def _event(event: dict[str, Any]) -> Event:
    return Event(event["name"], {entry["key"]: _plain(entry.get("value", {})) for entry in event.get("attributes", [])})


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(value: dict[str, Any]) -> Any:
    """Return a value of OTLP's JSON as what it means; nothing at all stands for `None`."""
    for kind, held in value.items():
        if kind == "kvlist_value":
            return {entry["key"]: _plain(entry.get("value", {})) for entry in held.get("values", [])}
        if kind == "array_value":
            return [_plain(item) for item in held.get("values", [])]
        return int(held) if kind == "int_value" else held
    return None
