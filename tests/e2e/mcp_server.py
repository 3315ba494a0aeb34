"""An MCP server over standard input and output; its tools tell what came with the request of a call."""

from __future__ import annotations

from typing import Any

try:
    from mcp.server.mcpserver import Context
    from mcp.server.mcpserver import MCPServer as Server
    from mcp.server.mcpserver.exceptions import ToolError
except ImportError:
    from mcp.server.fastmcp import Context
    from mcp.server.fastmcp import FastMCP as Server
    from mcp.server.fastmcp.exceptions import ToolError

server = Server("weather")


@server.tool()
def weather(city: str, context: Context) -> dict[str, Any]:
    """Tell the weather in a city."""
    meta = context.request_context.meta
    return {"city": city, "meta": dict(meta) if isinstance(meta, dict) else meta.model_dump() if meta else {}}


@server.tool()
def storm(city: str) -> str:
    """Fail."""
    raise ToolError(f"no forecast for {city}")


if __name__ == "__main__":
    server.run()
