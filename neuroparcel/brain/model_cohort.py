r"""Cohorts that are drawn from the model itself: settings, difficulty, and what was drawn.

How hard a cohort is, is told by three mean cosines: of a subject's network with the
population's, of a session's with the subject's, and of a profile with the network of its
session. They mean the same whatever the number of features, as concentrations and standard
deviations do not. The draws themselves are :mod:`neuroparcel.models.mshbm_simulation`'s.

References
----------
R. Kong et al. (2019), Spatial topography of individual-specific cortical networks predicts
human cognition, personality, and emotion, Cerebral Cortex 29, 2533-2551.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.links import link_forward
from neuroparcel.brain.recovery import Truth
from neuroparcel.errors import OptionError, SpaceError
from neuroparcel.types import FloatArray, IntArray

LINK_OF = {"l-normal": "ilr", "von-mises-fisher": "direction"}
"""Where profiles of each emission live."""

_LEAST_COMPONENTS = 3  # a von Mises-Fisher law on a circle has another normaliser


@dataclass(frozen=True)
class Difficulty:
    """Mean cosines between what hangs on one another.

    Parameters
    ----------
    subject : float
        Of a subject's network with the population's.
    session : float
        Of a session's network with the subject's.
    profile : float
        Of a vertex's profile with the network of its session.
    """

    subject: float
    session: float
    profile: float


# Realistic: medians over the 17 networks of the group priors that Kong et al. (2019) trained
# on 37 subjects of the Genomics Superstruct Project, epsil 3,130, sigma 6,432 and kappa 1,003,
# as mean cosines A_D of these von Mises-Fisher concentrations at their D = 1,175 features.
# They were published with https://github.com/Nielsen-Brain-and-Behavior-Lab/
# AutismHemisphericSpecialization2023 (Params_Final.mat, MIT licence, copyright 2023
# Nielsen-Brain-and-Behavior-Lab). Easy and hard are ours: about half the angle's square, and
# about one and a half times it.
DIFFICULTIES = {
    "easy": Difficulty(subject=0.92, session=0.96, profile=0.75),
    "realistic": Difficulty(subject=0.830, session=0.913, profile=0.573),
    "hard": Difficulty(subject=0.74, session=0.87, profile=0.42),
}
"""What ``neuroparcel simulate --difficulty`` offers."""

# Of the same priors: two subjects have the same label at a vertex with the probability
# mean(sum theta^2) = 0.42, by chance sum(mean(theta)^2) = 0.06, and
# 0.62^2 + (1 - 0.62^2) 0.06 = 0.42.
AGREEMENT = 0.62
"""Probability that a subject's label is the group's, and not drawn anew."""

# The shares of the networks, the means of theta, vary by 0.31 of their mean, as those of a
# Dirichlet law of this concentration do.
SHARE_CONCENTRATION = 10.0
"""Of the law of the networks' shares of the vertices."""


@dataclass(frozen=True)
class ModelSettings:
    """Size and difficulty of a cohort that is drawn from the MS-HBM.

    Parameters
    ----------
    difficulty : {"easy", "realistic", "hard"}
        Mean cosines, see :data:`DIFFICULTIES`.
    emission : {"l-normal", "von-mises-fisher"}
        Law of a profile around its network.
    n_subjects, n_sessions : int
    n_networks : int
    n_components : int
        Coordinates of a network. A file has one map more, as its rows carry no mean.
    roi : str
        Region whose vertices are simulated.
    seed : int

    Raises
    ------
    OptionError
        If a choice is unknown, a count is below 1, there are fewer than 2 networks or 3
        components.
    """

    difficulty: str = "realistic"
    emission: str = "l-normal"
    n_subjects: int = 8
    n_sessions: int = 2
    n_networks: int = 2
    n_components: int = 14
    roi: str = "broca-left"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("difficulty", DIFFICULTIES), ("emission", LINK_OF)):
            if getattr(self, name) not in known:
                raise OptionError(
                    f"Unknown {name} '{getattr(self, name)}'.", f"Choose one of {', '.join(known)}."
                )
        least = {"n_subjects": 1, "n_sessions": 1, "n_networks": 2}
        for name, count in {**least, "n_components": _LEAST_COMPONENTS}.items():
            if getattr(self, name) < count:
                raise OptionError(f"A cohort from the model needs {name} of at least {count}.")

    @property
    def cosines(self) -> Difficulty:
        """The mean cosines of the difficulty."""
        return DIFFICULTIES[self.difficulty]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Six-digit names, as in the Human Connectome Project."""
        return tuple(str(990_001 + number) for number in range(self.n_subjects))

    @property
    def sessions(self) -> tuple[str, ...]:
        """Names from ``"1"``."""
        return tuple(str(1 + number) for number in range(self.n_sessions))


@dataclass(frozen=True, eq=False)
class ModelCohort:
    """A cohort with everything that it was drawn from.

    Parameters
    ----------
    settings : ModelSettings
    networks : dict of level to array of float64
        ``"population"`` (network, component), ``"subject"`` (subject, network, component),
        ``"session"`` (subject, session, network, component). Of the von Mises-Fisher emission
        only their directions reach the data.
    epsilon, sigma : float
        Standard deviations of a network's coordinates around the population's, and around
        the subject's.
    kappa : float
        Of a profile around its network: a standard deviation, or a concentration.
    shares : (network,) array of float
        Probabilities of the networks; they sum to 1.
    group_labels : (vertex,) array of int
        Network of each vertex, from 0, that most subjects have.
    labels : (subject, vertex) array of int
        Network of each vertex, from 0, the same in all sessions of a subject.
    coordinates : (subject, session, vertex, component) array of float32
        Link coordinates of the profiles; unit vectors of the von Mises-Fisher emission.
    """

    settings: ModelSettings
    networks: dict[str, FloatArray]
    epsilon: float
    sigma: float
    kappa: float
    shares: FloatArray
    group_labels: IntArray
    labels: IntArray
    coordinates: FloatArray

    @property
    def label_prior(self) -> FloatArray:
        """Probability of each network in a subject, given the group's label; (vertex, network)."""
        same = self.group_labels[:, None] == np.arange(self.settings.n_networks)
        return AGREEMENT * same + (1 - AGREEMENT) * self.shares

    def maps(self, subject: int, session: int) -> FloatArray:
        """Maps of a session, from which a fit finds the coordinates again.

        Returns
        -------
        (vertex, feature) array of float32
        """
        return self.features(self.coordinates[subject, session]).astype(np.float32)

    def features(self, coordinates: FloatArray) -> FloatArray:
        """Coordinates as features of a file: one more, as its rows carry no mean.

        Link coordinates become positive unit vectors. Directions are turned into the features
        that sum to zero, so that centring each vertex's features changes nothing.

        Parameters
        ----------
        coordinates : (..., component) array of float

        Returns
        -------
        (..., feature) array of float64
        """
        positive = link_forward(np.asarray(coordinates, np.float64), "ilr")
        if self.settings.emission == "l-normal":
            return positive
        # The link turns coordinates, takes their exponential and scales it; undone, but for
        # the turn.
        turned = 2 * np.log(positive)
        return np.asarray(turned - turned.mean(axis=-1, keepdims=True))

    def truth(self, axis: BrainAxis) -> Truth:
        """The labels on their axis, from 1."""
        if len(axis) != len(self.group_labels):
            raise SpaceError(
                f"{len(self.group_labels)} simulated vertices do not lie on {len(axis)}."
            )
        return Truth(
            axis,
            self.settings.subjects,
            self.settings.n_networks,
            self.group_labels + 1,
            self.labels + 1,
        )

    def to_arrays(self) -> dict[str, FloatArray]:
        """Networks, scales and shares by name, for storage beside the labels."""
        scales = {name: np.array(getattr(self, name)) for name in ("epsilon", "sigma", "kappa")}
        networks = {f"{level}_networks": value for level, value in self.networks.items()}
        return {**networks, **scales, "shares": self.shares}
