"""OpenInference's names: attributes of its semantic conventions for traces, and its kinds of spans."""

from __future__ import annotations

from typing import Final

__all__: list[str] = []

SPAN_KIND: Final = "openinference.span.kind"
INPUT: Final = "input"
OUTPUT: Final = "output"
SESSION_ID: Final = "session.id"
USER_ID: Final = "user.id"
METADATA: Final = "metadata"
EVALUATIONS: Final = "evaluations"
RETRIEVAL_DOCUMENTS: Final = "retrieval.documents"
EMBEDDINGS: Final = "embedding.embeddings"
INPUT_MESSAGES: Final = "llm.input_messages"
OUTPUT_MESSAGES: Final = "llm.output_messages"

MLFLOW_TRACE_NAME: Final = "mlflow.traceTag.mlflow.traceName"
"""What MLflow calls a trace in its list, read from the root span; a trace that came over OTLP has no name otherwise."""

TEXT: Final = "text/plain"
JSON: Final = "application/json"

CHAIN: Final = "CHAIN"
AGENT: Final = "AGENT"
LLM: Final = "LLM"
TOOL: Final = "TOOL"
RETRIEVER: Final = "RETRIEVER"
EMBEDDING: Final = "EMBEDDING"
EVALUATOR: Final = "EVALUATOR"
