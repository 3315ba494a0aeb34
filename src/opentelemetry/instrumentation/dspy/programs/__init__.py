"""What is known of a program and its modules: classes, places, signatures, prompts, agents."""
