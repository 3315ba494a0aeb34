"""A model's server of its own process that goes on with the trace, as vLLM and gateways do: prints its port."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from loopback import ADDRESS
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind
from provider_server import reply_body

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
tracer = provider.get_tracer("model-server")


class Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the name is the base class's
        """The test reads the spans."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with tracer.start_as_current_span("llm_request", extract(headers), kind=SpanKind.SERVER):
            content = json.dumps(reply_body("openai_chat")).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    server = ThreadingHTTPServer(ADDRESS, Handler)
    print(server.server_address[1], flush=True)  # noqa: T201 - read by the test
    server.serve_forever()
