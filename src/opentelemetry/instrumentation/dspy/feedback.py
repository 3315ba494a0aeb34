"""What a person says of an answer: ``record_feedback``, in the process that answered or in another one."""

from __future__ import annotations

import contextlib
import logging
import math
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.trace import SpanContext

from .encodable import encodable
from .evaluation_events import evaluation_event
from .optimization.scores import MAX_LABEL_LENGTH, Score
from .programs.predictions import Origin, origin_of
from .reading import is_kind, name_of_type, read, shown
from .span_ids import span_context_from_ids, span_context_from_traceparent
from .wrapping.complaints import without_text

if TYPE_CHECKING:
    from .telemetry import Telemetry

__all__ = ["record_feedback", "send_feedback_to"]

_logger = logging.getLogger(__name__)

FeedbackValue: TypeAlias = float | bool | None
"""True is 1 and false is 0; ``None`` where a label alone says it."""

MAX_NAME_LENGTH = 200
"""Characters: a name is what backends group by. A longer one is none, and to cut it could make two of them one."""


class _Missing:
    """Stands for an argument that was not given."""


_MISSING = _Missing()


class _Receiver:
    """Where feedback goes while DSPy is instrumented, and what was said about that so far."""

    __slots__ = ("complained", "telemetry")

    def __init__(self, telemetry: Telemetry | None) -> None:
        self.telemetry = telemetry
        self.complained: set[object] = set()

    def complain(self, what: object, message: str, error: Exception | None = None) -> None:
        """Log a line, once for each thing to complain about."""
        if what in self.complained:
            return
        self.complained.add(what)
        # The application's logging may raise as well, from a filter or a handler.
        with contextlib.suppress(Exception):
            _logger.warning(message, exc_info=None if error is None else without_text(error))


_receiver = _Receiver(None)


def send_feedback_to(telemetry: Telemetry | None) -> None:
    """Send feedback there from now on; nowhere if there is nothing."""
    global _receiver
    _receiver = _Receiver(telemetry)


@overload
def record_feedback(
    prediction: object,
    name: str,
    value: FeedbackValue = None,
    *,
    label: str | None = None,
    explanation: str | None = None,
) -> bool: ...


@overload
def record_feedback(
    *,
    trace_id: str | int | None,
    span_id: str | int | None,
    name: str,
    value: FeedbackValue = None,
    label: str | None = None,
    explanation: str | None = None,
) -> bool: ...


def record_feedback(
    prediction: object = _MISSING,
    name: Any = _MISSING,
    value: FeedbackValue = None,
    *,
    label: str | None = None,
    explanation: str | None = None,
    trace_id: Any = _MISSING,
    span_id: Any = _MISSING,
) -> bool:
    """Record what a person says of an answer, as the event ``gen_ai.evaluation.result`` on the span that produced it.

    ``prediction`` is what the program returned or a copy of it; in another process its ``SpanContext``, a W3C
    ``traceparent``, or ``trace_id`` and ``span_id`` in its place: 32 and 16 hexadecimal digits, or numbers, or both
    ``None``, as ``trace_id_of`` has it of an answer that was given without telemetry. ``name`` says what is judged
    (``helpful``) in at most 200 characters, ``value`` and ``label`` how: a finite number, true or false, or a word
    alone, of which the first 100 characters are kept.
    ``explanation`` is content, recorded where content is, and passes the redaction as a text of kind ``output``.

    Returns whether the event was emitted. It is not where DSPy is not instrumented, and where nothing is known of the
    prediction, which is logged once. Raises ``TypeError`` and ``ValueError`` for arguments that cannot be right, and
    nothing else.
    """
    name, score = _name(name), _score(value, label, explanation)
    origin = _origin(prediction, trace_id, span_id)
    receiver = _receiver
    if receiver.telemetry is None or not is_instrumentation_enabled():
        return False
    if origin is None:
        receiver.complain(
            None,
            "record_feedback() was given a prediction that no instrumented call returned, and records nothing. A "
            "prediction that was pickled, or made of the fields of another, is not known: keep span_context_of() of "
            "the one that the call returned. This is not logged again.",
        )
        return False
    try:
        receiver.telemetry.logger.emit(evaluation_event(receiver.telemetry, name, score, origin))
    except Exception as error:  # noqa: BLE001 - whatever goes wrong here is ours, or a logger provider's
        receiver.complain(
            type(error), "Feedback could not be recorded. Further failures of this kind are not logged.", error
        )
        return False
    return True


def _name(name: object) -> str:
    if name is _MISSING:
        raise TypeError('record_feedback() needs a name of what is judged, such as "helpful".')
    text = _text("name", name)
    if not text.strip():
        raise ValueError('name= must not be empty: it says what is judged, such as "helpful".')
    if len(text) > MAX_NAME_LENGTH:
        raise ValueError(f"name= takes {MAX_NAME_LENGTH} characters, not {len(text)}: a sentence is an explanation.")
    return encodable(text)


def _score(value: object, label: object, explanation: object) -> Score:
    word = "" if label is None else _text("label", label)
    word = word[:MAX_LABEL_LENGTH] if word.strip() else ""
    reason = None if explanation is None else _text("explanation", explanation)
    if value is None:
        if not word:
            raise ValueError("record_feedback() needs a value, a label, or both.")
        return Score(None, word, reason)
    number = _number(value)
    if not word and _is_boolean(value):
        word = "true" if number else "false"
    return Score(number, word or None, reason)


def _text(argument: str, value: object) -> str:
    """Return a text itself: a class that derives from ``str`` may do anything when it is asked for a part of it."""
    if not is_kind(value, str) or not isinstance(value, str):
        raise TypeError(f"{argument}= takes a text, not {name_of_type(value)}.")
    return str.__str__(value)


def _is_boolean(value: object) -> bool:
    # numpy's bool is no bool, and is named ``bool_`` before numpy 2.
    is_numpys = name_of_type(value) in ("bool", "bool_") and read(type(value), "__module__") == "numpy"
    return is_numpys or is_kind(value, bool)


def _number(value: object) -> float:
    if not is_kind(value, Real) and not _is_boolean(value):
        raise TypeError(f"value= takes a number, true or false, not {name_of_type(value)}; a word is a label.")
    try:
        number = float(value)  # type: ignore[arg-type]
    except Exception as error:
        raise ValueError(f"value= takes a finite number, and {shown(value)} gives none.") from error
    if not math.isfinite(number):
        raise ValueError(f"value= takes a finite number, not {shown(value)}.")
    return number


def _is_given(value: object) -> bool:
    return value is not _MISSING and value is not None


def _origin(prediction: object, trace_id: object, span_id: object) -> Origin | None:
    # An answer that was given while telemetry was off has no ids, and whoever kept them passes on that it has none.
    by_ids = trace_id is not _MISSING or span_id is not _MISSING
    if by_ids and not (_is_given(trace_id) and _is_given(span_id)) and not (trace_id is None and span_id is None):
        raise TypeError("A span is told by both trace_id= and span_id=.")
    if by_ids and prediction is not _MISSING:
        raise TypeError("record_feedback() takes a prediction, or trace_id= and span_id=, and not both.")
    if by_ids and trace_id is None:
        return None
    if by_ids:
        return Origin(span_context_from_ids(trace_id, span_id))
    if prediction is _MISSING:
        raise TypeError("record_feedback() takes a prediction, or trace_id= and span_id= in its place.")
    # Its own type first: a dead proxy raises when it is asked for its class.
    if is_kind(prediction, str) and isinstance(prediction, str):
        return Origin(span_context_from_traceparent(prediction))
    if is_kind(prediction, SpanContext) and isinstance(prediction, SpanContext):
        if not read(prediction, "is_valid", default=False):
            raise ValueError("The SpanContext is that of no span: an id in it is zero.")
        return Origin(prediction)
    return origin_of(prediction)
