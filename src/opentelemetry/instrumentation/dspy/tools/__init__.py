"""Commands for whoever sets telemetry up; no program imports this room."""
