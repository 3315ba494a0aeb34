"""The same by hand: for the standard library's logging, and for structlog."""

import logging

import structlog
from log_correlation import Desk
from opentelemetry.trace import format_span_id, format_trace_id, get_current_span


class TraceIds(logging.Filter):
    """Of a handler, not of a logger: a logger's filters do not see what its children write."""

    def filter(self, record: logging.LogRecord) -> bool:
        span = get_current_span().get_span_context()
        record.trace_id, record.span_id = format_trace_id(span.trace_id), format_span_id(span.span_id)
        return True


def add_trace_ids(logger: object, method: str, event: dict[str, object]) -> dict[str, object]:
    span = get_current_span().get_span_context()
    if span.is_valid:
        event |= {"trace_id": format_trace_id(span.trace_id), "span_id": format_span_id(span.span_id)}
    return event


class DeskWithStructlog(Desk):
    def forward(self, question: str) -> object:
        structlog.get_logger().info("a question", characters=len(question))
        return self.answer(question=question)


if __name__ == "__main__":
    handler = logging.StreamHandler()
    handler.addFilter(TraceIds())
    logging.basicConfig(
        level=logging.INFO, handlers=[handler], format="%(levelname)s %(trace_id)s %(span_id)s %(name)s %(message)s"
    )
    structlog.configure(processors=[add_trace_ids, structlog.processors.JSONRenderer()])
    Desk()(question="Where is my parcel?")
    DeskWithStructlog()(question="Where is my parcel?")
