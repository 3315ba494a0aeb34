"""A real HTTP server on loopback that searches: ColBERTv2's protocol and that of Databricks' vector search.

    with SearchServer(["one passage", "another"]) as server:
        dspy.ColBERTv2(url=f"{server.url}/wiki")("passage", k=1)

Passages are found by the words that they have in common with the query.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from loopback import ADDRESS, LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PASSAGES", "SearchServer"]

PASSAGES = ("The Nile is a river.", "The Congo is a river in Africa.", "A cat sleeps.")


class SearchServer(LoopbackServer):
    """Serves while it is entered as a context manager; `error` is answered to every request while it is set."""

    def __init__(self, passages: Sequence[str] = PASSAGES) -> None:
        self.passages = passages
        self.error: str | None = None
        self.paths: list[str] = []
        super().__init__(_Listener(self), "search-server")

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def search(self, query: str, k: int) -> list[tuple[int, float]]:
        """The best passages by number, each with its score: the share of the query's words that it has."""
        words = query.lower().split()
        shares = [sum(word in passage.lower() for word in words) / len(words) for passage in self.passages]
        best = sorted(range(len(shares)), key=lambda number: -shares[number])[:k]
        return [(number, shares[number]) for number in best]


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, owner: SearchServer) -> None:
        self.owner = owner
        super().__init__(ADDRESS, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Listener

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the name is the base class's
        """Nobody reads a log."""

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        self._answer(self._colbert(query["query"][0], int(query["k"][0])))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "num_results" in body:
            self._answer(self._databricks(body))
        else:
            self._answer(self._colbert(body["query"], body["k"]))

    def _colbert(self, query: str, k: int) -> dict[str, Any]:
        owner = self.server.owner
        if owner.error is not None:
            return {"error": True, "message": owner.error}
        found = owner.search(query, k)
        return {
            "topk": [
                {"text": owner.passages[number], "pid": number, "rank": rank, "score": score}
                for rank, (number, score) in enumerate(found, 1)
            ]
        }

    def _databricks(self, body: dict[str, Any]) -> dict[str, Any]:
        owner = self.server.owner
        if owner.error is not None:
            return {"error_code": "FAILED", "message": owner.error}
        columns = [*body["columns"], "score"]
        rows = [
            {"id": f"doc-{number}", "text": owner.passages[number], "score": score}
            for number, score in owner.search(body["query_text"], body["num_results"])
        ]
        return {
            "manifest": {"columns": [{"name": column} for column in columns]},
            "result": {"data_array": [[row[column] for column in columns] for row in rows]},
        }

    def _answer(self, body: dict[str, Any]) -> None:
        self.server.owner.paths.append(urlsplit(self.path).path)
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
