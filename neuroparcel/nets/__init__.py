"""Neural networks: set transformers, the hierarchical encoder, conditional flows."""
