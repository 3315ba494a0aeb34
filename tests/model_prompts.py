"""Reads the prompts that DSPy's adapters write, and answers them in the layout that they ask for."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["OutputField", "Prompt", "messages_of", "read_prompt", "sample_of_schema"]

Layout = Literal["chat", "json", "xml", "plain"]

_FILLER = ("one", "two", "three", "four", "five", "six", "seven", "eight")
_JSON_STRUCTURE = "Outputs will be a JSON object with the following fields.\n\n"


@dataclass(frozen=True, slots=True)
class OutputField:
    """One output field of a signature: its name and what the prompt demands of its value ("" for text)."""

    name: str
    demand: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a request asks: all its text, the layout of the reply and the fields to be filled."""

    text: str
    last_message: str
    layout: Layout
    fields: tuple[OutputField, ...]
    schema: Mapping[str, Any] | None

    @property
    def digest(self) -> str:
        """Six hex digits that differ between prompts, so that a reply can be told from every other."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:6]

    @property
    def tools_called(self) -> int:
        """How many steps an agent's trajectory in this prompt already has."""
        return len(set(re.findall(r"\[\[ ## observation_(\d+) ## \]\]", self.last_message)))

    def default_text(self, name: str) -> str:
        """Three to nine words, the same for the same prompt and field."""
        return " ".join([name, self.digest, *_FILLER[: 1 + int(self.digest, 16) % 7]])

    def render(self, values: Mapping[str, object]) -> str:
        """The reply with these values, and a default for every field that they leave out."""
        complete = {field.name: self.default_value(field) for field in self.fields}
        complete.update(values)
        if self.layout == "json":
            return json.dumps(complete)
        if self.layout == "xml":
            return "\n\n".join(f"<{name}>\n{_as_text(value)}\n</{name}>" for name, value in complete.items())
        sections = [f"[[ ## {name} ## ]]\n{_as_text(value)}" for name, value in complete.items()]
        return "\n\n".join([*sections, "[[ ## completed ## ]]"])

    def default_reply(self) -> str:
        """A reply that every adapter can parse, made from the prompt alone."""
        if self.fields:
            return self.render({})
        if self.schema is not None:
            return json.dumps(sample_of_schema(self.schema, self.default_text("text")))
        return self.default_text("reply")

    def default_value(self, field: OutputField) -> object:
        """A value of the type that the prompt demands; an agent's tools are called one after the other."""
        if field.name == "next_tool_args":
            return self._sample_arguments(self._described_tool())
        if field.demand.startswith("must be True or False"):
            return True
        if field.demand.startswith("must be a single int"):
            return 7
        if field.demand.startswith("must be a single float"):
            return 0.5
        if "one of: " in field.demand:
            options = field.demand.split("one of: ", 1)[1].split("; ")
            step = self.tools_called if field.name == "next_tool_name" else 0
            return options[min(step, len(options) - 1)]
        if "JSON schema: " in field.demand:
            schema = json.loads(field.demand.split("JSON schema: ", 1)[1])
            if schema.get("title") == "ToolCalls":
                return {"tool_calls": self._next_call()}
            return sample_of_schema(schema, self.default_text(field.name))
        return self.default_text(field.name)

    def _described_tool(self) -> str:
        """What the instructions of a ReAct agent say of the tool that `next_tool_name` names."""
        for field in self.fields:
            if field.name == "next_tool_name":
                name = re.escape(str(self.default_value(field)))
                described = re.search(rf"^ *\(\d+\) ({name}[,.] .*)$", self.text, re.MULTILINE)
                return described.group(1) if described else ""
        return ""

    def _next_call(self) -> list[dict[str, object]]:
        """The next call of an agent that writes its calls as text: one tool after the other."""
        listed = re.search(r"^\[\[ ## tools ## \]\]\n(\[.*\])$", self.last_message, re.MULTILINE)
        tools: list[str] = json.loads(listed.group(1)) if listed else []
        called = self.text.count("[[ ## tool_call_results ## ]]")
        return [
            {"name": re.split("[,.] ", tool)[0], "args": self._sample_arguments(tool)}
            for tool in tools[called : called + 1]
        ]

    def _sample_arguments(self, described: str) -> dict[str, object]:
        """Arguments for a tool, from the text that DSPy makes of it; those with a default are left out."""
        marker = "It takes arguments "
        if marker not in described:
            return {}
        arguments: dict[str, dict[str, Any]] = ast.literal_eval(described.rsplit(marker, 1)[1].rstrip("."))
        return {
            name: sample_of_schema(schema, self.default_text(name))
            for name, schema in arguments.items()
            if "default" not in schema
        }


def read_prompt(body: Mapping[str, Any]) -> Prompt:
    """The prompt of a chat, text or Responses request body."""
    messages = list(messages_of(body))
    text = "\n".join(content for _, content in messages)
    last_message = messages[-1][1] if messages else ""
    response_format = body.get("response_format") or (body.get("text") or {}).get("format") or {}
    layout: Layout = "plain"
    if response_format.get("type") in ("json_object", "json_schema") or "Respond with a JSON object" in last_message:
        layout = "json"
    elif "output fields wrapped in XML tags" in last_message:
        layout = "xml"
    elif "Respond with the corresponding output fields" in last_message:
        layout = "chat"
    schema = response_format.get("json_schema", response_format).get("schema")
    return Prompt(text, last_message, layout, tuple(_output_fields(text)), schema)


def messages_of(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Role and text of everything that a request sends: messages, prompt, instructions or inputs."""
    if body.get("instructions"):
        yield "system", body["instructions"]
    for key in ("messages", "prompt", "input"):
        items = body.get(key) or []
        for item in [items] if isinstance(items, str) else items:
            if isinstance(item, str):
                yield "user", item
            else:
                role = "tool" if item.get("type") == "function_call_output" else item.get("role", "user")
                yield str(role), _content_text(item.get("content") or item.get("output") or "")


def sample_of_schema(schema: Mapping[str, Any], text: str, root: Mapping[str, Any] | None = None) -> object:
    """A value that satisfies a JSON schema of the kinds that Pydantic writes, with `text` for each string."""
    root = schema if root is None else root
    if "$ref" in schema:
        return sample_of_schema(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], text, root)
    if "anyOf" in schema:
        return sample_of_schema(schema["anyOf"][0], text, root)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = schema.get("type", "string")
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: sample_of_schema(part, text, root) for name, part in properties.items()}
    if kind == "array":
        return [sample_of_schema(schema.get("items", {}), text, root)]
    samples: dict[str, object] = {"integer": 7, "number": 0.5, "boolean": True, "null": None}
    return samples.get(kind, text)


def _output_fields(text: str) -> Iterator[OutputField]:
    listed = re.search(r"Your output fields are:\n(.*?)\nAll interactions will be structured", text, re.DOTALL)
    if listed is None:
        return
    structure = text[listed.end() :]
    if _JSON_STRUCTURE in structure:
        # The demands stand inside JSON strings there; decoded, they read as in the chat layout.
        described, _ = json.JSONDecoder().raw_decode(structure.split(_JSON_STRUCTURE, 1)[1])
        structure = "\n".join(described.values())
    for name in re.findall(r"^\d+\. `(\w+)` \(", listed.group(1), re.MULTILINE):
        demand = re.search(rf"^\{{{name}\}} +# note: the value you produce (.*)$", structure, re.MULTILINE)
        yield OutputField(name, demand.group(1) if demand else "")


def _content_text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
