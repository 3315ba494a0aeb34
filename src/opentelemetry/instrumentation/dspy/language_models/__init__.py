"""What is peculiar to calls of language models: requests, providers, tokens, prices, streams."""
