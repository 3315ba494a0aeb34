"""Send a task; whoever sends it is any other part of the system."""

from celery_tasks import answer

from opentelemetry import trace

with trace.get_tracer("shop").start_as_current_span("order"):
    answer.delay("Where is my parcel?")
