"""Variational families: what a posterior may look like, one family a file."""
