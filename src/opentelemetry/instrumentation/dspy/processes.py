"""Work in another process as a part of this one's: its trace and baggage go there, and what it used comes back.

    # Here                                                # There
    carrier = outgoing_context()                          with incoming_context(carrier) as usage:
    answer, used = ask_worker(question, carrier)              answer = program(question=question)
    usage.merge(used)                                     return answer, usage.export()

The carrier is what the configured propagators of OpenTelemetry make of the context (``OTEL_PROPAGATORS``, by default
W3C Trace Context and Baggage): headers of an HTTP request, of a message, or a dictionary among the arguments.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry.context import Context, get_current
from opentelemetry.propagate import extract, inject
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import INVALID_SPAN_CONTEXT, get_current_span, set_span_in_context

from .application import usage_scope
from .application_blocks import application_block
from .context import attach, current_context, detach
from .reading import is_kind
from .wrapping.complaints import without_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .usage import UsageScope

_logger = logging.getLogger(__name__)

__all__ = ["Headers", "incoming_context", "outgoing_context"]


class Headers(Protocol):
    """A mapping, or what a web framework has in its place."""

    def items(self) -> Iterable[tuple[Any, Any]]:
        """Return names and values."""


def outgoing_context(carrier: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what leads work in another process to the span and the baggage that are current here.

    ``carrier``: headers that go along, which are left as they are. For the headers of a request or a message, or for
    an argument of its own.
    """
    headers = dict(carrier or {})
    try:
        inject(headers, current_context())
    except Exception as error:  # noqa: BLE001 - a propagator may be the application's
        _tell(error)
    return headers


@application_block
def incoming_context(carrier: Headers | None) -> Iterator[UsageScope]:
    """Go on, inside the block, with the trace and the baggage that a carrier tells of, and count what is used.

    ``carrier``: what ``outgoing_context`` returned, or all the headers that it came with, in whatever case; what is
    no context begins a trace of its own, and so do ``None`` and an empty one. Where an instrumentation of the
    framework went on with the same trace already, its span stays the parent. Yields a ``UsageScope``, whose
    ``export()`` is for ``merge`` where the work came from. Raises ``TypeError`` for a carrier that is no mapping.
    """
    if carrier is not None and not callable(getattr(carrier, "items", None)):
        raise TypeError(f"incoming_context takes a mapping of header names to values, not {type(carrier).__name__}.")
    token = attach(_continued({} if carrier is None else carrier))
    try:
        with usage_scope() as usage:
            yield usage
    finally:
        detach(token)


def _continued(carrier: Headers) -> Context:
    before = get_current_span()
    context = _extracted(carrier)
    here, there = before.get_span_context(), get_current_span(context).get_span_context()
    if here.is_valid and here.trace_id == there.trace_id and here.span_id != _Forked.span_id:
        # The span of a server or a task, which is a child of the one that the carrier tells of.
        return set_span_in_context(before, context)
    return context


def _extracted(carrier: Headers) -> Context:
    try:
        context = extract(carrier, get_current(), _AnyCase())
        if is_kind(context, Context):
            return context
        raise TypeError
    except Exception as error:  # noqa: BLE001 - a propagator may be the application's
        _tell(error)
        return get_current()


def _tell(error: Exception) -> None:
    """Tell that the trace does not go on, once for each type of exception; the work does."""
    if type(error) in _told:
        return
    _told.add(type(error))
    # The application's logging may raise as well, and the work must go on.
    with suppress(Exception):
        _logger.warning(
            "A propagator of this program failed: work in another process goes on without what it was to carry. "
            "Further failures of this kind are not logged.",
            exc_info=without_text(error),
        )


_told: set[type] = set()


class _AnyCase(Getter[Any]):
    """Reads headers as frameworks have them: names in any case, texts or bytes, one value or several."""

    def get(self, carrier: Headers, key: str) -> list[str] | None:
        values = [value for name, value in carrier.items() if _text(name).lower() == key.lower()]
        several = [item for value in values for item in (value if isinstance(value, (list, tuple)) else [value])]
        return [text for item in several if (text := _text(item))] or None

    def keys(self, carrier: Headers) -> list[str]:
        return [_text(name) for name, _ in carrier.items()]


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else ""


class _Forked:
    """The span that was current when this process was forked: it is the other process's, and no work of this one."""

    span_id = INVALID_SPAN_CONTEXT.span_id

    @classmethod
    def note(cls) -> None:
        """Note it, in the process that was just forked."""
        cls.span_id = get_current_span().get_span_context().span_id


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Forked.note)
