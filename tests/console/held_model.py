"""A model that does not answer before it is told to."""

from __future__ import annotations

import threading

from model_server import ModelServer, Reply, Request

__all__ = ["HeldModel"]


class HeldModel(ModelServer):
    """Holds its answers back; leaving it gives them all."""

    def __init__(self) -> None:
        super().__init__(self._hold)
        self._free = threading.Semaphore(0)

    def answer(self, times: int = 1) -> None:
        """Give so many answers."""
        self._free.release(times)

    def _hold(self, request: Request) -> Reply:
        assert self._free.acquire(timeout=110)
        return Reply(fields={"answer": f"answer {request.number}"})
