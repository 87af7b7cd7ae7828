"""Nouns of anatomy: axes, atlases, connectomes, reductions, parcellations. No files, no torch."""
