"""What would fail in silence, told at the time: one plain line on standard error, once in a process."""
