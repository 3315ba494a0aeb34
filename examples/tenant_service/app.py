"""Starts the service and is its callers: three shops that ask at the same time, each with traces of its own."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import uvicorn
from service import app

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Serve in a thread of its own, as `uvicorn service:app` does in a process of its own."""
    # It listens before it serves: whoever asks early waits, instead of being refused.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def ask(client: httpx.Client, call: dict[str, str]) -> str:
    """Ask one question inside of a trace of the caller's, and say what came back."""
    trace_id = secrets.token_hex(16)
    headers = {
        "x-api-key": f"key-of-{call['tenant']}",
        "x-user": call["user"],
        "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
    }
    reply = client.post("/answers", json={"question": call["question"]}, headers=headers).raise_for_status().json()
    same = "in the caller's trace" if reply["trace_id"] == trace_id else "in another trace"
    return f"{call['tenant']:6} {call['user']:5} {reply['answer']} ({reply['trace_id']}, {same})"


def main() -> None:
    calls = json.loads(Path(__file__).with_name("calls.json").read_text(encoding="utf-8"))
    with served() as address, httpx.Client(base_url=address, timeout=60) as client, ThreadPoolExecutor(3) as pool:
        for line in pool.map(lambda call: ask(client, call), calls):
            print(line)
        # Asked again: DSPy's cache answers, and the tenant owes nothing for it.
        print(ask(client, calls[0]))
        bill = client.get("/costs").raise_for_status().json()
    print(f"\n{'day':12}{'tenant':8}{'calls':>6}{'cached':>8}{'tokens':>8}{'dollars':>11}")
    for line in bill:
        figures = f"{line['calls']:6}{line['cached']:8}{line['tokens']:8}{line['dollars']:11.6f}"
        print(f"{line['day']:12}{line['tenant']:8}{figures}")


if __name__ == "__main__":
    main()
