"""What a person sees: one program in real backends, under this library and under each backend's own instrumentation."""
