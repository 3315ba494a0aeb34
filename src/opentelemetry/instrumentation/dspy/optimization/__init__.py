"""The state of evaluations and optimizer runs: what was tried, what it scored, what it cost."""
