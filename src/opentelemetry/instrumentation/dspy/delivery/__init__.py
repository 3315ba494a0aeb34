"""Where telemetry goes: what the process has set up to take it, read and never changed."""
