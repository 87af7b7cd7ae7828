"""Training an amortized posterior and asking it questions."""
