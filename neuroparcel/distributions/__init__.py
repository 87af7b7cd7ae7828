"""Distributions on the sphere, mixtures and the links that unbind their supports."""
