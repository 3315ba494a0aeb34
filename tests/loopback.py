"""What all HTTP servers of the tests have in common: one on 127.0.0.1, on a free port, in a thread of its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from typing_extensions import Self

if TYPE_CHECKING:
    from socketserver import TCPServer
    from types import TracebackType

__all__ = ["ADDRESS", "LoopbackServer"]

ADDRESS = ("127.0.0.1", 0)
"""Where a listener is to listen: port 0 is any that is free."""


class LoopbackServer:
    """Serves while it is entered as a context manager."""

    def __init__(self, listener: TCPServer, name: str) -> None:
        self._http = listener
        self._serving = threading.Thread(target=listener.serve_forever, args=(0.01,), name=name)

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._serving.join()

    @property
    def host(self) -> str:
        return ADDRESS[0]

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])
