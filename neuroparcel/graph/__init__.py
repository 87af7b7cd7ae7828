"""Static analysis of Pyro models: from a callable to a template of sites and plates."""

from neuroparcel.graph.model_graph import ModelGraph, Plate, Site
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate, analyse

__all__ = ["ModelGraph", "ModelTemplate", "Observation", "Plate", "Site", "analyse"]
