"""The map: which DSPy callable is recorded by what. The only file that knows where DSPy's methods are.

Never here on DSPy 3.4: ``LM.forward`` and ``aforward``, which it compares by identity in ``execution.prepare``.
"""

from __future__ import annotations

import importlib
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .language_models.litellm_replies import ObservedLiteLLM, observed_getter
from .programs.prediction_copies import copy_methods, noting_base
from .programs.tool_calls import with_own_lookup
from .propagation.requests import HandlerRecorder, NativeRequestRecorder, OpenAIClientRecorder
from .recorders.adapter import AdapterRecorder, ParseRecorder, SchemaRecorder
from .recorders.attempts import CopyRecorder, RewardRecorder
from .recorders.avatar import AvatarEvaluationRecorder, AvatarExampleRecorder
from .recorders.bootstrap import BootstrapExampleRecorder, BootstrapRecorder, MetricRecorder
from .recorders.embedding import EmbeddingBatchRecorder, EmbeddingRecorder
from .recorders.evaluate import EvaluateRecorder
from .recorders.executor import ExecutorRecorder
from .recorders.gepa import GEPARecorder
from .recorders.interpreter import InterpreterFinder, InterpreterRecorder, SetupRecorder, StartRecorder
from .recorders.lm import LMRecorder
from .recorders.lm_outcomes import (
    CacheRecorder,
    CallResultRecorder,
    DecisionRecorder,
    EngineRecorder,
    FailedCallRecorder,
    ReplyRecorder,
    RetryRecorder,
    StoredReplyRecorder,
    StreamRecorder,
    TypedResponseRecorder,
)
from .recorders.lm_requests import ExecutionRecorder, ForwardRecorder
from .recorders.mcp import MCPCallRecorder, MCPSessionFinder
from .recorders.module import ModuleRecorder
from .recorders.optimizer import JudgeRecorder, OptimizerRecorder
from .recorders.parallel import ParallelRecorder
from .recorders.retrieval import RetrievalRecorder
from .recorders.sending import SendingRecorder
from .recorders.signature import SignatureRecorder
from .recorders.tool import ToolCallRecorder, ToolRecorder, ToolRequestRecorder
from .recorders.unbatchify import BatchRecorder, CallerRecorder, WaitingCallers
from .wrapping.places import Replacement, Seam
from .wrapping.threads import ContextThreadPoolExecutor, ItemThreadPoolExecutor
from .wrapping.traced import TracedMethod

if TYPE_CHECKING:
    from .propagation.headers import Propagation
    from .propagation.requests import ClientHooks
    from .telemetry import Telemetry
    from .wrapping.patching import Patcher

__all__ = [
    "executed_tool_calls",
    "interpreter_finders",
    "litellm_requests",
    "litellm_views",
    "mcp_sessions",
    "native_requests",
    "prediction_copies",
    "seams",
    "thread_pools",
]

_DERIVING = ("delete", "insert", "load_state", "with_instructions", "with_updated_fields")
"""Class methods of ``Signature`` that return a new class; ``append`` and ``prepend`` go through ``insert``."""


def seams(telemetry: Telemetry) -> list[Seam]:
    """Return all seams, each with the recorder of its calls."""
    module, signature = ModuleRecorder(telemetry), SignatureRecorder()
    return [
        Seam("dspy", "Module", "__call__", module, subclasses=True),
        Seam("dspy", "Module", "acall", module, subclasses=True),
        Seam("dspy", "Module", "forward", module, subclasses=True, only_below=True, goes_on=True),
        Seam("dspy", "Module", "aforward", module, subclasses=True, only_below=True, goes_on=True),
        *(Seam("dspy", "Signature", name, signature) for name in _DERIVING),
        *_adapter_seams(telemetry),
        *_language_model_seams(telemetry),
        *_composition_seams(telemetry),
        *_tool_seams(telemetry),
        *_retrieval_seams(telemetry),
        *_interpreter_seams(telemetry),
        *_evaluation_seams(telemetry),
        *_optimizer_seams(telemetry),
    ]


def _adapter_seams(telemetry: Telemetry) -> list[Seam]:
    """Return adapter calls, and where they fail to build a schema and to read a reply."""
    call, parse = AdapterRecorder(telemetry), ParseRecorder(telemetry)
    schema = "_get_structured_outputs_response_format"
    return [
        Seam("dspy", "Adapter", "__call__", call, subclasses=True),
        Seam("dspy", "Adapter", "acall", call, subclasses=True),
        Seam("dspy", "Adapter", "_call_postprocess", parse, subclasses=True, within_call=True),
        Seam("dspy.adapters.json_adapter", None, schema, SchemaRecorder()),
    ]


def _composition_seams(telemetry: Telemetry) -> list[Seam]:
    """Return what runs modules many times over: in threads, in attempts, in batches."""
    predict, unbatchify = "dspy.predict", "dspy.utils.unbatchify"
    reward, waiting = RewardRecorder(), WaitingCallers()
    parallel = ParallelRecorder(telemetry, records_content=False)
    neighbours = ParallelRecorder(telemetry, records_content=True)
    on_instances = {"optional": True, "on_instances": True}
    return [
        # Module.batch calls forward and not the call operator.
        Seam(f"{predict}.parallel", "Parallel", "__call__", parallel, subclasses=True),
        Seam(f"{predict}.parallel", "Parallel", "forward", parallel, subclasses=True),
        Seam(f"{predict}.knn", "KNN", "__call__", neighbours, subclasses=True),
        Seam("dspy.primitives.module", "BaseModule", "deepcopy", CopyRecorder(), subclasses=True),
        Seam(f"{predict}.best_of_n", "BestOfN", "reward_fn", reward, within_call=True, **on_instances),
        Seam(f"{predict}.refine", "Refine", "reward_fn", reward, within_call=True, **on_instances),
        Seam(unbatchify, "Unbatchify", "__call__", CallerRecorder(waiting)),
        Seam(unbatchify, "Unbatchify", "batch_fn", BatchRecorder(telemetry, waiting), **on_instances),
    ]


def _tool_seams(telemetry: Telemetry) -> list[Seam]:
    """Return tool calls, and where ``ReActV2`` has the model's requests of them with the model's own ids."""
    tool = ToolRecorder(telemetry)
    return [
        Seam("dspy", "Tool", "__call__", tool, subclasses=True),
        Seam("dspy", "Tool", "acall", tool, subclasses=True),
        Seam("dspy.predict.react_v2", None, "_ensure_tool_call_ids", ToolRequestRecorder(), optional=True),
    ]


def executed_tool_calls(telemetry: Telemetry, patcher: Patcher) -> list[Replacement]:
    """Return how a program executes a tool call of the model itself, which 2.6 does not know."""
    module = "dspy.adapters.types.tool"
    tool_call = importlib.import_module(module).ToolCalls.ToolCall
    if "execute" not in vars(tool_call):
        return []
    patcher.wrap_found(tool_call, "execute", ToolCallRecorder(telemetry))
    traced = vars(tool_call)["execute"]
    return [Replacement(f"{module}:ToolCalls.ToolCall", "execute", traced, with_own_lookup(traced))]


def prediction_copies(patcher: Patcher) -> list[Replacement]:
    """Return what makes copies of predictions: the constructor, and what the module ``copy`` asks for."""
    module = "dspy.primitives.prediction"
    prediction = importlib.import_module(module).Prediction
    make = vars(prediction)["__init__"]
    # What an earlier patcher left, because it was below a wrapper of somebody else, is not wrapped once more.
    make = make.__wrapped__ if isinstance(make, TracedMethod) else make
    replacements = {"__init__": TracedMethod(make, noting_base, prediction, patcher), **copy_methods(prediction)}
    return [
        Replacement(f"{module}:Prediction", name, vars(prediction).get(name), replacement)
        for name, replacement in replacements.items()
    ]


def mcp_sessions(patcher: Patcher) -> list[Seam]:
    """Return where tools are made of those of an MCP server: only there DSPy has to do with the package ``mcp``."""
    call = MCPCallRecorder()
    finder = MCPSessionFinder(lambda session: patcher.wrap_found(session, "call_tool", call))
    return [Seam("dspy.utils.mcp", None, "convert_mcp_tool", finder)]


def _retrieval_seams(telemetry: Telemetry) -> list[Seam]:
    """Return searches and embeddings; DSPy's retrievers of other packages are subclasses of ``Retrieve``."""
    retrieval, embedding, batch = RetrievalRecorder(telemetry), EmbeddingRecorder(telemetry), EmbeddingBatchRecorder()
    colbert, embedder = "dspy.dsp.colbertv2", "dspy.clients.embedding"
    return [
        Seam("dspy", "Retrieve", "__call__", retrieval, subclasses=True),
        Seam("dspy", "Retrieve", "forward", retrieval, subclasses=True, goes_on=True),
        Seam("dspy", "Retrieve", "aforward", retrieval, subclasses=True, only_below=True, goes_on=True),
        Seam("dspy.retrievers", "Embeddings", "__call__", retrieval, subclasses=True),
        Seam("dspy.retrievers", "Embeddings", "forward", retrieval, subclasses=True, goes_on=True, optional=True),
        Seam(colbert, "ColBERTv2", "__call__", retrieval, subclasses=True),
        Seam(colbert, "ColBERTv2RetrieverLocal", "__call__", retrieval, subclasses=True),
        Seam("dspy", "Embedder", "__call__", embedding, subclasses=True),
        Seam("dspy", "Embedder", "acall", embedding, subclasses=True),
        Seam(embedder, None, "_compute_embeddings", batch),
        Seam(embedder, None, "_acompute_embeddings", batch),
    ]


def litellm_views() -> list[Replacement]:
    """Return the names under which DSPy's clients have LiteLLM: up to 3.2 the module, then how to get it."""
    found = []
    for module in map(importlib.import_module, ("dspy.clients.lm", "dspy.clients.embedding")):
        litellm, getter = vars(module).get("litellm"), vars(module).get("_get_litellm")
        if getter is not None:
            found.append(Replacement(module.__name__, "_get_litellm", getter, observed_getter(getter)))
        elif litellm is not None:
            found.append(Replacement(module.__name__, "litellm", litellm, ObservedLiteLLM(litellm)))
    return found


def native_requests(propagation: Propagation) -> list[Seam]:
    """Return where DSPy's own client of 3.4 sends its requests."""
    transports, request = "dspy._vendor.lm15.transports", NativeRequestRecorder(propagation)
    return [
        Seam(transports, "StdlibTransport", "stream", request, optional=True),
        Seam(transports, "StdlibAsyncTransport", "stream", request, optional=True),
    ]


def litellm_requests(hooks: ClientHooks) -> list[Seam]:
    """Return where LiteLLM gets the clients that send its requests: its own, OpenAI's and Azure's."""
    handlers, handler = "litellm.llms.custom_httpx.http_handler", HandlerRecorder(hooks)
    openai, client = "litellm.llms.openai", OpenAIClientRecorder(hooks)
    return [
        *(Seam(handlers, owner, "post", handler) for owner in ("HTTPHandler", "AsyncHTTPHandler")),
        *(
            Seam(handlers, owner, "create_client", client, optional=True)
            for owner in ("HTTPHandler", "AsyncHTTPHandler")
        ),
        Seam(f"{openai}.openai", "OpenAIChatCompletion", "_get_openai_client", client),
        Seam("litellm.llms.azure.common_utils", "BaseAzureLLM", "get_azure_openai_client", client, optional=True),
        # Text completions make a client for each: up to 2025 themselves.
        *(
            Seam(f"{openai}.completion.handler", None, name, client, optional=True)
            for name in ("build_openai_client", "build_async_openai_client", "OpenAI", "AsyncOpenAI")
        ),
    ]


def _interpreter_seams(telemetry: Telemetry) -> list[Seam]:
    """Return DSPy's own interpreters, with all the ways in which one starts its process."""
    execute, start = InterpreterRecorder(telemetry), StartRecorder()
    python, local = "dspy.primitives.python_interpreter", "dspy.primitives.local_interpreter"
    return [
        Seam(python, "PythonInterpreter", "execute", execute, subclasses=True),
        Seam(python, "PythonInterpreter", "_ensure_deno_process", start, subclasses=True, within_call=True),
        Seam(python, "PythonInterpreter", "start", start, subclasses=True, optional=True, within_call=True),
        Seam(local, "LocalInterpreter", "execute", execute, subclasses=True, optional=True),
        Seam(local, "LocalInterpreter", "start", start, subclasses=True, optional=True, within_call=True),
        Seam("dspy.primitives.facade", "FacadeInvocation", "install", SetupRecorder(), optional=True),
    ]


def interpreter_finders(telemetry: Telemetry, patcher: Patcher) -> list[Seam]:
    """Return where DSPy's modules get their interpreters: those of other classes are wrapped when they are seen."""
    execute, start = InterpreterRecorder(telemetry), StartRecorder()

    def wrap(interpreter: type) -> None:
        patcher.wrap_found(interpreter, "execute", execute)
        patcher.wrap_found(interpreter, "start", start, within_call=True)

    finder = InterpreterFinder(wrap)
    rlm, program_of_thought = "dspy.predict.rlm", "dspy.predict.program_of_thought"
    return [
        # From 3.3 on a module makes one for each call, or is given one with the call.
        *(
            Seam(module, None, name, finder, optional=True)
            for module in (rlm, program_of_thought, "dspy.predict.flex.bridge")
            for name in ("_create_interpreter", "_validate_interpreter")
        ),
        # Before, it had one from the start.
        Seam(rlm, "RLM", "_execute_iteration", finder, optional=True, within_call=True),
        Seam(rlm, "RLM", "_aexecute_iteration", finder, optional=True, within_call=True),
        Seam(program_of_thought, "ProgramOfThought", "_execute_code", finder, within_call=True),
    ]


def thread_pools() -> list[Replacement]:
    """Return the names under which DSPy's modules have the class of their thread pools.

    Not there: ``streaming.messages``, whose threads only put a message into a stream, and ``retrieve.clarifai_rm`` of
    2.6, whose threads only make HTTP requests.
    """
    carrying = ("predict.rlm", "teleprompt.avatar_optimizer", "teleprompt.gepa.gepa_utils")
    name = "ThreadPoolExecutor"
    return [
        Replacement("dspy.utils.parallelizer", name, ThreadPoolExecutor, ItemThreadPoolExecutor),
        *(Replacement(f"dspy.{module}", name, ThreadPoolExecutor, ContextThreadPoolExecutor) for module in carrying),
    ]


def _language_model_seams(telemetry: Telemetry) -> list[Seam]:
    """Return the calls of language models, and where DSPy tells their outcomes: 3.4 in other places than before."""
    call, reply = LMRecorder(telemetry), ReplyRecorder()
    execution, typesafe, cache = "dspy.clients.execution", "dspy.clients.typesafe", "dspy.clients.cache"
    return [
        Seam("dspy", "BaseLM", "__call__", call, subclasses=True),
        Seam("dspy", "BaseLM", "acall", call, subclasses=True),
        Seam(execution, None, "finalize", CallResultRecorder(), optional=True),
        *_request_seams(execution),
        Seam(execution, None, "_engine", EngineRecorder(), optional=True),
        Seam(execution, None, "_delay", RetryRecorder(telemetry), optional=True),
        Seam("dspy.clients.lm", None, "_get_stream_completion_fn", StreamRecorder()),
        Seam(execution, None, "_account_failed_call", FailedCallRecorder(), optional=True),
        Seam("dspy", "BaseLM", "_process_lm_response", reply, subclasses=True, optional=True, within_call=True),
        Seam("dspy", "BaseLM", "_finalize_lm_response", TypedResponseRecorder(), optional=True, within_call=True),
        Seam(typesafe, "TypeSafe", "__call__", call, subclasses=True, optional=True),
        Seam(typesafe, "TypeSafe", "acall", call, subclasses=True, optional=True),
        Seam(typesafe, "TypeSafe", "_sdk_kwargs", SendingRecorder(), optional=True, within_call=True),
        Seam(typesafe, "TypeSafe", "_finish", DecisionRecorder(), optional=True, within_call=True),
        Seam(cache, "Cache", "get", CacheRecorder()),
        Seam(cache, "Cache", "_prepare_cached_response", StoredReplyRecorder(), optional=True, within_call=True),
    ]


def _request_seams(execution: str) -> list[Seam]:
    """Return where DSPy's own client makes the requests of a language model."""
    if find_spec(execution) is not None:
        executed = ExecutionRecorder()
        return [Seam(execution, None, "execute", executed), Seam(execution, None, "aexecute", executed)]
    forward = ForwardRecorder()
    return [Seam("dspy", "LM", name, forward, within_call=True) for name in ("forward", "aforward")]


def _evaluation_seams(telemetry: Telemetry) -> list[Seam]:
    """Return evaluations, and the executor through which their examples run."""
    return [
        Seam("dspy.evaluate.evaluate", "Evaluate", "__call__", EvaluateRecorder(telemetry), subclasses=True),
        Seam("dspy.utils.parallelizer", "ParallelExecutor", "execute", ExecutorRecorder(telemetry)),
    ]


def _optimizer_seams(telemetry: Telemetry) -> list[Seam]:
    """Return ``compile`` of all optimizers, and what bounds the trials of those that do not use ``Evaluate``."""
    teleprompt = "dspy.teleprompt"
    bootstrap, example = BootstrapRecorder(telemetry), BootstrapExampleRecorder()
    avatar, avatar_example = AvatarEvaluationRecorder(telemetry), AvatarExampleRecorder()
    found = [
        Seam(f"{teleprompt}.teleprompt", "Teleprompter", "compile", OptimizerRecorder(telemetry), subclasses=True),
        Seam(f"{teleprompt}.bootstrap", "BootstrapFewShot", "_bootstrap", bootstrap, subclasses=True),
        Seam(f"{teleprompt}.bootstrap", "BootstrapFewShot", "_bootstrap_one_example", example, subclasses=True),
        _metric_seam(f"{teleprompt}.bootstrap", "BootstrapFewShot"),
        _metric_seam(f"{teleprompt}.simba", "SIMBA"),
        _metric_seam(f"{teleprompt}.avatar_optimizer", "AvatarOptimizer"),
        Seam(f"{teleprompt}.avatar_optimizer", "AvatarOptimizer", "thread_safe_evaluator", avatar),
        Seam(f"{teleprompt}.avatar_optimizer", "AvatarOptimizer", "process_example", avatar_example),
        Seam(f"{teleprompt}.gepa.gepa_utils", "DspyAdapter", "make_reflective_dataset", JudgeRecorder(), optional=True),
    ]
    # gepa has callbacks since 0.0.27 (DSPy 3.2). Without them each evaluation of GEPA is a trial.
    if find_spec("gepa") is not None and find_spec("gepa.core.callbacks") is not None:
        found.append(Seam("gepa", None, "optimize", GEPARecorder(telemetry)))
    return found


def _metric_seam(module: str, optimizer: str) -> Seam:
    """Return the metric that an optimizer keeps, and whose errors it catches."""
    return Seam(module, optimizer, "metric", MetricRecorder(), on_instances=True, within_call=True)
