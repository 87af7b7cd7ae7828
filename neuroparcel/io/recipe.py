"""How the numbers of a session are made from its recordings."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from neuroparcel.brain.atlas import Region, Targets
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.cleaning import Cleaning
from neuroparcel.brain.features import Features
from neuroparcel.errors import ConnectomeError, OptionError

_LEAST_MAPS = 3


@dataclass(frozen=True, eq=False)
class Recipe:
    """Region, targets, features and cleaning of a cohort, the same for all its recordings.

    Parameters
    ----------
    region : Region
        Whose vertices are described.
    targets : Targets, optional
        What they are correlated with; None for maps.
    features : Features
        How they are described.
    cleaning : Cleaning
        What is done to the time series first.
    maps : tuple of str, default ()
        For maps: the names of those that are used, in this order.
    max_dead : float, default 0.1
        Largest share of dead vertices, and of dead targets, in a recording.

    Raises
    ------
    OptionError
        If maps are to be cleaned.
    ConnectomeError
        If there are neither targets nor at least 3 maps.
    """

    region: Region
    targets: Targets | None
    features: Features = field(default_factory=Features)
    cleaning: Cleaning = field(default_factory=Cleaning)
    maps: tuple[str, ...] = ()
    max_dead: float = 0.1

    def __post_init__(self) -> None:
        if self.features.kind != "maps":
            if self.targets is None:
                raise ConnectomeError("Correlations need targets.", "Give --targets.")
            return
        if self.cleaning.steps:
            raise OptionError(
                f"Maps are used as they are and cannot be cleaned ({self.cleaning.steps[0]}).",
                "Leave the cleaning options away, or correlate time series.",
            )
        if len(self.maps) < _LEAST_MAPS:
            raise ConnectomeError(
                f"The recordings share {len(self.maps)} maps; a profile needs at least "
                f"{_LEAST_MAPS}.",
                "Give files whose maps are named alike, or correlate them with targets.",
            )

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names along the last dimension: targets, or maps."""
        return self.maps if self.targets is None else self.targets.names

    def to_json(self) -> dict[str, Any]:
        """Everything that the numbers of a session depend on, as plain JSON values.

        How they become positive is left out: that is done when they are used.
        """
        targets = self.targets
        return {
            "region": {"name": self.region.name, "digest": _axis_digest(self.region.axis)},
            "targets": None
            if targets is None
            else {
                "name": targets.name,
                "digest": _digest(
                    _axis_digest(targets.axis), targets.assignment.tobytes(), repr(targets.names)
                ),
            },
            "measure": self.features.measure,
            "cleaning": asdict(self.cleaning),
            "maps": list(self.maps),
            "max_dead": self.max_dead,
        }

    def digest(self) -> str:
        """Hexadecimal digest of :meth:`to_json`."""
        return _digest(json.dumps(self.to_json(), sort_keys=True))


def _axis_digest(axis: BrainAxis) -> str:
    return _digest(
        axis.space,
        repr(sorted(axis.mesh_size.items())),
        repr(axis.structure.tolist()),
        axis.vertex.tobytes(),
        axis.voxel.tobytes(),
        repr(axis.nodes),
        repr(axis.volume_shape),
        b"" if axis.affine is None else np.asarray(axis.affine, np.float64).tobytes(),
    )


def _digest(*parts: str | bytes) -> str:
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        found.update(len(content).to_bytes(8, "little") + content)
    return found.hexdigest()
