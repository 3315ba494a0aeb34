"""Where requests to models pass: DSPy's own client hands out each, LiteLLM's are made by clients of ``httpx``.

In both, each hop is looked at for itself: ``httpx`` calls the hooks of a client again for every redirect, with the
headers of the request before, and DSPy's client follows none.
"""

from __future__ import annotations

import inspect
import weakref
from typing import TYPE_CHECKING, Any

from ..reading import read
from ..wrapping.calls import Noter
from ..wrapping.complaints import Complaints

if TYPE_CHECKING:
    from ..context import Call
    from .headers import Propagation

__all__ = ["ClientHooks", "HandlerRecorder", "NativeRequestRecorder", "OpenAIClientRecorder"]


class NativeRequestRecorder(Noter):
    """``StdlibTransport.stream(request)`` and that of the asynchronous one, on DSPy 3.4."""

    __slots__ = ("_propagation",)

    def __init__(self, propagation: Propagation) -> None:
        self._propagation = propagation

    def before(self, around: Call, instance: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Put the headers on the request that is about to be sent; it is the attempt's own, and is kept nowhere."""
        request = arguments[0] if arguments else named["request"]
        headers = self._propagation.headers_for(request.url, (name for name, _ in request.headers))
        if headers:
            request.headers = [*request.headers, *headers.items()]


class ClientHooks:
    """The hooks on clients of ``httpx``, which put the headers on requests."""

    def __init__(self, propagation: Propagation) -> None:
        self.propagation = propagation
        self._clients: weakref.WeakSet[Any] = weakref.WeakSet()
        self._complaints = Complaints()

    def hang_on(self, client: Any) -> None:
        """Let a client, of either kind, call the hook before each request, once however often this is called."""
        hooks = read(client, "event_hooks")
        if not isinstance(hooks, dict) or not isinstance(requests := hooks.get("request"), list):
            return
        hook: Any = self.look_at_later if inspect.iscoroutinefunction(read(client, "send")) else self.look_at
        if hook not in requests:
            self._clients.add(client)
            requests.append(hook)

    def remove(self) -> None:
        """Take the hooks off all clients that are still there."""
        self.propagation.on = False
        for client in list(self._clients):
            requests = read(client, "event_hooks", {}).get("request", [])
            requests[:] = [hook for hook in requests if hook not in (self.look_at, self.look_at_later)]
        self._clients.clear()

    def look_at(self, request: Any) -> None:
        """Put the headers on a request, or take them off where a redirect leads it to a host that was not named."""
        try:
            for name in request.extensions.pop(_MARK, ()):
                request.headers.pop(name, None)
            url = request.url
            host = url.raw_host.decode("ascii").strip("[]")
            headers = self.propagation.headers(url.scheme, host, url.port, request.headers)
            if headers:
                request.headers.update(headers)
                # A redirected request has the extensions of the one before.
                request.extensions[_MARK] = [*headers]
        except Exception as error:  # noqa: BLE001 - a propagator is the application's, and the request must go out
            self._complaints.about(self, error)

    async def look_at_later(self, request: Any) -> None:
        """Do the same for a client that awaits its hooks."""
        self.look_at(request)


_MARK = "opentelemetry.instrumentation.dspy.propagated"


class HandlerRecorder(Noter):
    """``HTTPHandler.post(url, …)`` of LiteLLM and the like: it sends with the client that it keeps."""

    __slots__ = ("_hooks",)

    def __init__(self, hooks: ClientHooks) -> None:
        self._hooks = hooks

    def before(self, around: Call, instance: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """See to the client, which may be older than the instrumentation."""
        self._hooks.hang_on(read(instance, "client"))


class OpenAIClientRecorder(Noter):
    """What returns a client of OpenAI's package, or of ``httpx``, to LiteLLM."""

    __slots__ = ("_hooks",)

    def __init__(self, hooks: ClientHooks) -> None:
        self._hooks = hooks

    def returned(self, around: Call, instance: Any, arguments: tuple[Any, ...], result: Any) -> None:
        """See to it."""
        self._hooks.hang_on(read(result, "_client", result))
