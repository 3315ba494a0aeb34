"""What metric points tell of where a call comes from: its program, its prompt, its role, and the application's own."""
