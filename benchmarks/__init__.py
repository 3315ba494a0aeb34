"""What the instrumentation costs: beside no instrumentation, two other instrumentations of DSPy, and the bare SDK."""
