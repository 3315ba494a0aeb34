"""What is peculiar to retrieval and embedding calls."""
