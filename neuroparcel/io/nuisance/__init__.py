"""What disturbs a recording: frames to drop, and signals to regress out."""

from neuroparcel.io.nuisance.censoring import read_censor
from neuroparcel.io.nuisance.confounds import read_confounds

__all__ = ["read_censor", "read_confounds"]
