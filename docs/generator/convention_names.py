"""Names that others define and this library emits: what they mean here. That none is missing, a test makes sure."""

from __future__ import annotations

__all__ = ["CONTENT", "CONVENTION_NAMES", "OPENINFERENCE_NAMES", "RARE"]

CONVENTION_NAMES: dict[str, dict[str, str]] = {
    "What was called": {
        "gen_ai.operation.name": "which operation of the conventions it is: `chat`, `text_completion`, `embeddings`, "
        "`retrieval`, `execute_tool`, `invoke_agent`, `invoke_workflow`",
        "gen_ai.provider.name": "who serves the model, in the conventions' words: `openai`, `anthropic`, `aws.bedrock`",
        "gen_ai.workflow.name": "class of the outermost module of the application, or of the one that it runs in",
        "gen_ai.agent.name": "name of the agent, or of the one that it runs in; on a workflow the same as its name",
        "gen_ai.conversation.id": "what `telemetry_context(conversation_id=…)` says",
        "gen_ai.prompt.name": "which prompt of the program it is: `SupportDesk.draft.predict`, or the signature",
        "gen_ai.prompt.version": "12 hexadecimal digits over instructions, fields and demonstrations: changes when, "
        "and only when, the template does",
        "server.address": "host that was asked, where DSPy tells it",
        "server.port": "its port",
        "openai.api.type": "which API of OpenAI DSPy or LiteLLM asks: `chat_completions` or `responses`",
        "error.type": "class of the exception that ended it, with its module",
    },
    "The request": {
        "gen_ai.request.model": "model that was asked for, without the provider's prefix",
        "gen_ai.request.temperature": "temperature",
        "gen_ai.request.top_p": "nucleus sampling",
        "gen_ai.request.top_k": "number of candidates for each token",
        "gen_ai.request.max_tokens": "greatest number of tokens of the reply",
        "gen_ai.request.frequency_penalty": "penalty for frequent tokens",
        "gen_ai.request.presence_penalty": "penalty for tokens that were there already",
        "gen_ai.request.seed": "seed of the provider's sampling",
        "gen_ai.request.stop_sequences": "where the reply is to end",
        "gen_ai.request.choice.count": "number of replies (`n`), where it is not one",
        "gen_ai.request.reasoning.level": "how much the model is to reason",
        "gen_ai.request.stream": "whether the reply came in chunks",
        "gen_ai.request.encoding_formats": "formats in which embeddings were asked for",
        "gen_ai.output.type": "`text` or `json`",
        "gen_ai.embeddings.dimension.count": "length of the vectors",
        "gen_ai.retrieval.top_k": "how many documents were asked for",
        "gen_ai.data_source.id": "collection, index or address that was searched",
    },
    "The reply": {
        "gen_ai.response.model": "model that answered, as the reply names it",
        "gen_ai.response.id": "id of the reply",
        "gen_ai.response.finish_reasons": "why each reply ended",
        "gen_ai.response.time_to_first_chunk": "seconds until the first chunk of a stream",
    },
    "Tokens": {
        "gen_ai.token.type": "`input` or `output`, on the metric of tokens",
        "gen_ai.usage.input_tokens": "tokens that went in, those read from the provider's cache among them",
        "gen_ai.usage.output_tokens": "tokens that came out, those of the reasoning among them",
        "gen_ai.usage.cache_read.input_tokens": "input tokens that the provider read from its cache",
        "gen_ai.usage.cache_write.input_tokens": "input tokens that the provider wrote to its cache",
        "gen_ai.usage.reasoning.output_tokens": "output tokens of the reasoning",
        "gen_ai.usage.text.input_tokens": "input tokens that are text, where the provider tells them apart",
        "gen_ai.usage.image.input_tokens": "input tokens of pictures",
        "gen_ai.usage.audio.input_tokens": "input tokens of sound",
        "gen_ai.usage.text.output_tokens": "output tokens that are text, where the provider tells them apart",
        "gen_ai.usage.image.output_tokens": "output tokens of pictures",
        "gen_ai.usage.audio.output_tokens": "output tokens of sound",
        "gen_ai.usage.text.cache_read.input_tokens": "cached input tokens that are text",
        "gen_ai.usage.image.cache_read.input_tokens": "cached input tokens of pictures",
        "gen_ai.usage.audio.cache_read.input_tokens": "cached input tokens of sound",
    },
    "Content": {
        "gen_ai.input.messages": "messages that went in, JSON on spans",
        "gen_ai.output.messages": "messages that came out, JSON on spans",
        "gen_ai.agent.description": "instructions of the agent's signature, which are a part of its prompt",
        "gen_ai.tool.definitions": "tools that the model or agent was offered, JSON: names always, descriptions and "
        "parameters as content",
        "gen_ai.tool.description": "what the tool says of itself",
        "gen_ai.tool.call.arguments": "arguments of the call, JSON",
        "gen_ai.tool.call.result": "what the tool returned, JSON",
        "gen_ai.retrieval.query.text": "what was searched for",
        "gen_ai.retrieval.documents": "documents that were found, JSON",
        "gen_ai.evaluation.explanation": "feedback of a metric, or what a user wrote",
    },
    "Tools": {
        "gen_ai.tool.name": "name of the tool, or of the code interpreter",
        "gen_ai.tool.type": "`function`, or `extension` for what the agent itself runs",
        "gen_ai.tool.call.id": "id that the model gave to the call",
    },
    "Evaluations": {
        "gen_ai.evaluation.name": "name of the metric, or of the feedback",
        "gen_ai.evaluation.score.value": "the score; true is 1, false is 0",
        "gen_ai.evaluation.score.label": "the score as a word",
    },
    "Exceptions": {
        "exception.type": "class of the exception, with its module",
        "exception.message": "its text, as far as it may be told ([Security](security.md#texts-of-errors))",
        "exception.stacktrace": "its stack, without frames of this library",
    },
}

CONTENT = frozenset(
    {
        *(name for name in CONVENTION_NAMES["Content"] if name != "gen_ai.tool.definitions"),
        *("embedding.embeddings.N.embedding.text", "llm.input_messages.N.message.content"),
        *("llm.output_messages.N.message.content", "retrieval.documents.N.document.content"),
        "retrieval.documents.N.document.metadata",
    }
)
"""Names that hold content alone; that of this library's own names is told in ``semconv.py``."""

OPENINFERENCE_NAMES: dict[str, str] = {
    "openinference.span.kind": "`LLM`, `AGENT`, `TOOL`, `RETRIEVER`, `EMBEDDING`, `EVALUATOR` or `CHAIN`",
    "input.value": "what went in: content where spans hold it, else a line that is none",
    "input.mime_type": "`text/plain` or `application/json`",
    "output.value": "what came out, or the type of the error",
    "output.mime_type": "`text/plain` or `application/json`",
    "session.id": "what `telemetry_context(conversation_id=…)` says",
    "metadata": "scores, JSON, to filter by",
    "evaluations.N.evaluation.name": "name of the metric",
    "evaluations.N.evaluation.score": "the score",
    "retrieval.documents.N.document.id": "id of a document that was found",
    "retrieval.documents.N.document.content": "its text",
    "retrieval.documents.N.document.score": "how well it fits",
    "retrieval.documents.N.document.metadata": "what else was found of it, JSON",
    "embedding.embeddings.N.embedding.text": "a text that was embedded",
    "llm.input_messages.N.message.role": "who says a message that went in",
    "llm.input_messages.N.message.content": "a message that went in",
    "llm.output_messages.N.message.role": "who says a message that came out",
    "llm.output_messages.N.message.content": "a message that came out",
    "mlflow.traceTag.mlflow.traceName": "what MLflow calls the trace",
}
"""What ``OTEL_INSTRUMENTATION_DSPY_OPENINFERENCE=true`` adds; ``N`` counts from 0."""

RARE = frozenset(
    {
        "gen_ai.request.top_k",
        *("gen_ai.usage.image.output_tokens", "gen_ai.usage.image.cache_read.input_tokens"),
        "gen_ai.usage.audio.cache_read.input_tokens",
        *("llm.output_messages.N.message.role", "llm.output_messages.N.message.content"),
    }
)
"""Names of language model calls that no program of the tests emits: no provider that a test plays has them."""
