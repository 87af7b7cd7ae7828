"""Functional parcellations that know their own uncertainty."""

__version__ = "0.1.0"
