"""What is the same for all calls of a language model: worked out once, as long as its settings are the same objects."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai
from opentelemetry.semconv.attributes.server_attributes import SERVER_ADDRESS, SERVER_PORT

from .. import semconv
from ..labels.labels import NO_LABELS
from ..reading import read, text_of_name
from ..weak import WeakIdentityMap
from .lm_attributes import CURRENCY
from .providers import ServerAddress, identity_of, model_text, openai_api_of, prefix_of, server_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AttributeValue

    from ..labels.labels import Labels
    from .providers import ModelIdentity

__all__ = ["KnownModel", "known_model"]

MAX_POINTS = 1_000
"""Sets of attributes of metric points that are kept for one model; a table that is full begins anew."""

_SERVER = (SERVER_ADDRESS, SERVER_PORT)


@dataclass(slots=True)
class KnownModel:
    """A language model as its calls are recorded."""

    identity: ModelIdentity
    text: str
    """Its model string, as DSPy has it."""
    operation: str
    server: ServerAddress | None
    span_name: str
    at_start: dict[str, AttributeValue]
    """What the span of each call starts with: never changed in place."""
    openai_api: str | None
    """Which API of OpenAI it asks, if that is known."""
    prefix: str
    """What LiteLLM puts before the name of the model that answered, with its slash; empty where it puts nothing."""
    _settings: tuple[Any, ...]
    """What all that was made of."""
    _points: dict[tuple[Any, ...], dict[str, AttributeValue]] = field(default_factory=dict)

    def is_made_of(self, settings: tuple[Any, ...]) -> bool:
        """Return whether it was made of these very objects."""
        return all(map(operator.is_, self._settings, settings))

    def point(
        self, answered_by: str | None, labels: Labels = NO_LABELS, *, cache_hit: bool
    ) -> Mapping[str, AttributeValue]:
        """Return the attributes of the points of a call's duration and tokens: never to be changed in place."""
        return self._points.get(("call", answered_by, cache_hit, labels)) or self._keep(
            ("call", answered_by, cache_hit, labels),
            {
                **labels.attributes,
                **self.at_start,
                **({} if answered_by is None else {gen_ai.GEN_AI_RESPONSE_MODEL: answered_by}),
                **({semconv.DSPY_CACHE_HIT: True} if cache_hit else {}),
            },
        )

    def cost_point(
        self, answered_by: str | None, source: str, labels: Labels = NO_LABELS
    ) -> Mapping[str, AttributeValue]:
        """Return the attributes of the point of a call's cost: never to be changed in place."""
        return self._points.get(("cost", answered_by, source, labels)) or self._keep(
            ("cost", answered_by, source, labels),
            {
                **labels.attributes,
                **{name: value for name, value in self.at_start.items() if name not in _SERVER},
                semconv.GEN_AI_USAGE_COST_CURRENCY: CURRENCY,
                semconv.GEN_AI_USAGE_COST_SOURCE: source,
                **({} if answered_by is None else {gen_ai.GEN_AI_RESPONSE_MODEL: answered_by}),
            },
        )

    def cache_point(self, *, cache_hit: bool) -> Mapping[str, AttributeValue]:
        """Return the attributes of a request to DSPy's cache: never to be changed in place."""
        return self._points.get(("cache", cache_hit)) or self._keep(
            ("cache", cache_hit),
            {gen_ai.GEN_AI_REQUEST_MODEL: self.identity.model, semconv.DSPY_CACHE_HIT: cache_hit},
        )

    def saved_point(self) -> Mapping[str, AttributeValue]:
        """Return the attributes of what DSPy's cache saved: never to be changed in place."""
        return self._points.get(("saved",)) or self._keep(
            ("saved",),
            {gen_ai.GEN_AI_REQUEST_MODEL: self.identity.model, semconv.GEN_AI_USAGE_COST_CURRENCY: CURRENCY},
        )

    def _keep(self, key: tuple[Any, ...], point: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
        if len(self._points) >= MAX_POINTS:
            self._points.clear()
        self._points[key] = point
        return point


def known_model(language_model: Any, options: Mapping[str, Any]) -> KnownModel:
    """Return what is known of a language model whose call has these settings, its own among them."""
    settings = (
        *_settings_of(language_model),
        options.get("api_base"),
        options.get("base_url"),
        read(language_model, "base_url"),
        type(language_model),
    )
    known = _known.get(language_model)
    if known is None or not known.is_made_of(settings):
        known = _describe(language_model, settings)
        _known.set(language_model, known)
    return known


_SETTINGS = ("model", "model_type", "_engine_spec")
_of_settings = operator.itemgetter(*_SETTINGS)


def _settings_of(language_model: Any) -> tuple[Any, ...]:
    try:
        settings: tuple[Any, ...] = _of_settings(vars(language_model))
    except Exception:  # noqa: BLE001 - a class of the application's may keep them elsewhere, or somehow else
        return tuple(read(language_model, name) for name in _SETTINGS)
    return settings


_known: WeakIdentityMap[KnownModel] = WeakIdentityMap()


def _describe(language_model: Any, settings: tuple[Any, ...]) -> KnownModel:
    identity, server, text = identity_of(language_model), server_of(*settings[3:-1]), model_text(language_model)
    is_text = text_of_name(settings[1]) == "text"
    kinds = gen_ai.GenAiOperationNameValues
    operation = (kinds.TEXT_COMPLETION if is_text else kinds.CHAT).value
    at_start: dict[str, AttributeValue] = {
        gen_ai.GEN_AI_OPERATION_NAME: operation,
        gen_ai.GEN_AI_PROVIDER_NAME: identity.provider,
        gen_ai.GEN_AI_REQUEST_MODEL: identity.model,
    }
    if server is not None:
        at_start.update(server.attributes)
    return KnownModel(
        identity,
        text,
        operation,
        server,
        f"{operation} {identity.model}",
        at_start,
        openai_api_of(language_model, identity.provider),
        prefix_of(text),
        settings,
    )
