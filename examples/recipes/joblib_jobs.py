"""The same with joblib, whose processes have to import the function that they run."""

from joblib import Parallel, delayed
from multiprocessing_jobs import answer

from opentelemetry import propagate, trace

if __name__ == "__main__":
    carrier: dict[str, str] = {}
    with trace.get_tracer("jobs").start_as_current_span("questions"):
        propagate.inject(carrier)
        answers = Parallel(n_jobs=2)(delayed(answer)(question, carrier) for question in ["Where?", "When?", "Who?"])
        print(*answers, sep="\n")
