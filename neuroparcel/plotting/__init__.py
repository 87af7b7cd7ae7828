"""Figures of the nouns: each function takes one, returns a matplotlib figure and shows nothing."""
