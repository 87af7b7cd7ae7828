r"""Learn a cohort's label model: group prior, weight of evidence, smoothness.

Empirical Bayes on the training subjects. The group prior is the mean of the subjects' labels;
weights are judged by how well the labels of one session, under the prior of the *other*
subjects, predict the same subject's other sessions:

.. math:: J = \mathrm{mean} \log \sum_k U_{nk}(t; \theta^{(-s)}) \exp(\rho r_n E_{nk}(v)),

where :math:`\rho` is the share of the coordinates that are worth an independent one
(:func:`effective_share`). Labels are then made as decisive as the data allow: both weights are
raised by one factor, the largest for which ``J`` stays within one standard error (paired, over
subjects) of its best. That is the one-standard-error rule of cross-validation.

References
----------
Satterthwaite, An approximate distribution of estimates of variance components,
Biometrics 1946.
Breiman, Friedman, Olshen and Stone, Classification and Regression Trees, 1984, section 3.4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from neuroparcel.models.reference_labels import LabelEvidence
from neuroparcel.parcellation.group_prior import vertex_prior
from neuroparcel.parcellation.label_model import LabelModel, no_mesh

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_LEAST_ROUNDS, _MOST_ROUNDS = 4, 12  # of the weights
_N_STEPS = 5  # of prior and networks between them
_SETTLED = 0.05  # share of the weight of evidence, by which it still moves
_N_VERTICES = 3_000  # that weights are judged on
_LARGEST_FACTOR = 4.0
_SMOOTHNESS = (0.0, 0.25, 0.5, 1.0, 2.0)
_BOUNDS = (1e-4, 10.0)  # of both weights
_LEAST_EVIDENCE = 0.05  # weight below which labels hardly see their session


class NetworkSource(Protocol):
    """Networks that say how likely each profile is; they may be learnt along with the labels."""

    def evidence(self, labels: LabelEvidence) -> Tensor:
        """Log densities (subject, session, vertex, network), zeros without data.

        Networks that are learnt take one step first, with these labels.
        """


@dataclass(frozen=True, eq=False)
class Sessions:
    """What of a cohort labels are learnt from, beside its evidence.

    Attributes
    ----------
    mask : Tensor of bool, shape (subject, session, vertex)
    strength : Tensor, shape (subject, session, vertex), optional
        Signal strength of each vertex.
    neighbours : csr_array, shape (vertex, vertex), optional
        Mesh neighbours, rows of sum 1.
    """

    mask: Tensor
    strength: Tensor | None = None
    neighbours: csr_array | None = None

    @property
    def present(self) -> Tensor:
        """Which sessions have data, shape (subject, session)."""
        return self.mask.any(-1)

    def strength_of(self, subject: int, session: int) -> Tensor | None:
        """Signal strength of one session, shape (vertex,)."""
        return None if self.strength is None else self.strength[subject, session]

    def pairs(self) -> list[tuple[int, int, int]]:
        """Each subject with two different sessions, in both orders."""
        found = []
        for subject, row in enumerate(self.present.tolist()):
            days = [day for day, there in enumerate(row) if there]
            found += [(subject, t, v) for t in days for v in days if t != v]
        return found

    @property
    def repeated(self) -> bool:
        """Whether at least two subjects have repeated sessions."""
        return len({subject for subject, _, _ in self.pairs()}) > 1


@dataclass(frozen=True, eq=False)
class HeldOutSession:
    """What one session's labels say of another session of the subject, and what that shows.

    Attributes
    ----------
    subject : int
    labels : LabelModel
        Under the prior of the other subjects.
    predicted : Tensor, shape (vertex, network)
        Labels of the one session.
    evidence : Tensor, shape (vertex, network)
        Of the other session, before its strength.
    strength : Tensor, shape (vertex,), optional
        Signal strength of the other session.
    mask : Tensor of bool, shape (vertex,)
        Where both have data.
    """

    subject: int
    labels: LabelModel
    predicted: Tensor
    evidence: Tensor
    strength: Tensor | None
    mask: Tensor

    @property
    def weighted(self) -> Tensor:
        """Evidence of the other session, times its strength."""
        return self.evidence if self.strength is None else self.evidence * self.strength[:, None]


@dataclass(frozen=True)
class Learning:
    """What was learnt of the labels' weights, for a report.

    Attributes
    ----------
    learnt : bool
        Whether there were repeated sessions of at least two subjects to learn from.
    effective_share : float
        rho.
    factor : float
        By which the best weights were raised.
    gain : float
        Nats a vertex that J gained over evidence at its face value and no less prior.
    last_change : float
        Share by which the weight of evidence changed in the last round; NaN if not learnt.
    """

    learnt: bool
    effective_share: float
    factor: float = 1.0
    gain: float = math.nan
    last_change: float = math.nan
    notes: tuple[str, ...] = field(default=())


def learn_labels(
    source: NetworkSource,
    sessions: Sessions,
    *,
    smoothness: float | None = 0.0,
    effective_share: float = 1.0,
    seed: int = 0,
) -> tuple[LabelModel, Learning]:
    """Learn the label model of a training cohort.

    Parameters
    ----------
    source : NetworkSource
    sessions : Sessions
    smoothness : float, optional
        Of the labels along the mesh; None chooses it on held-out sessions.
    effective_share : float
        rho; also the weight of evidence where there is nothing to learn it from.
    seed : int
        Of the vertices that weights are judged on.

    Returns
    -------
    labels : LabelModel
    learning : Learning

    Raises
    ------
    OptionError
        If a smoothness is asked for without a mesh.
    """
    if smoothness and sessions.neighbours is None:
        # Said before the work, not after it.
        raise no_mesh()
    pairs = sessions.pairs()
    learnable = sessions.repeated
    weights = _Weights(effective_share, 1.0)
    used, theta, factor, learnt, last_change = weights, None, 1.0, None, math.nan
    for number in range(_MOST_ROUNDS):
        for _ in range(_N_STEPS):
            evidence = source.evidence(_as_evidence(used, theta, sessions))
            sums = _subject_sums(evidence, used, theta, sessions)
            theta = _group_prior(sums, sessions)
        if learnable:
            priors = _others_priors(sums, sessions)
            learnt = _HeldOut(evidence, priors, sessions, pairs, effective_share, seed)
            weights = learnt.best(weights)
            factor = learnt.most_decisive(weights)
            found = weights.times(factor)
            last_change = abs(found.evidence / used.evidence - 1)
            # Networks answer the weights: full steps can go to and fro for ever.
            used = found if number == 0 else used.halfway(found)
        if number + 1 >= _LEAST_ROUNDS and not last_change > _SETTLED:
            break
    assert theta is not None  # there is at least one step
    labels = LabelModel(theta, used.evidence, used.prior, neighbours=sessions.neighbours)
    judged = (evidence, sums, sessions, pairs, effective_share)
    labels, note = _smoothed(labels, smoothness, *judged)
    if _n_subjects(sessions) == 1:
        note += ("the group is one subject: the prior of labels is the same for all vertices",)
    if learnt is None:
        note += (
            "the weight of evidence could not be learnt, which takes two subjects with two "
            f"sessions; it is the effective share of the coordinates, {effective_share:.2g}",
        )
        return labels, Learning(False, effective_share, notes=note)
    gain = float((learnt(weights) - learnt(_Weights(1.0, 1.0))).mean())
    note += weights.warnings(gain)
    return labels, Learning(True, effective_share, factor, gain, last_change, note)


def subject_labels(labels: LabelModel, evidence: Tensor, sessions: Sessions) -> Tensor:
    """Mean labels of each subject's sessions, which the prior of the others is made of.

    Smoothness and recalibration are left out, as when the group prior was learnt.

    Parameters
    ----------
    labels : LabelModel
    evidence : Tensor, shape (subject, session, vertex, network)
    sessions : Sessions

    Returns
    -------
    Tensor, shape (subject, vertex, network)
        Zeros without data.
    """
    weights = _Weights(labels.evidence_weight, labels.prior_weight)
    return _subject_sums(evidence, weights, labels.prior, sessions)


def heldout_sessions(
    labels: LabelModel,
    evidence: Tensor,
    sums: Tensor,
    sessions: Sessions,
    pairs: Sequence[tuple[int, int, int]],
) -> Iterator[HeldOutSession]:
    """Labels of one session of each pair under the others' prior, beside the other session.

    Parameters
    ----------
    labels : LabelModel
    evidence : Tensor, shape (subject, session, vertex, network)
    sums : Tensor, shape (subject, vertex, network)
        Mean labels of each subject (:func:`subject_labels`).
    sessions : Sessions
    pairs : sequence of tuple
        As :meth:`Sessions.pairs` gives them.
    """
    priors = _others_priors(sums, sessions)
    for subject, t, v in pairs:
        others = replace(labels, prior=priors[subject])
        yield HeldOutSession(
            subject,
            others,
            others(evidence[subject, t], sessions.strength_of(subject, t)),
            evidence[subject, v],
            sessions.strength_of(subject, v),
            sessions.mask[subject, t] & sessions.mask[subject, v],
        )


def effective_share(residuals: Tensor) -> float:
    r"""Share of coordinates that are worth an independent one.

    A squared distance over :math:`D` correlated coordinates of covariance :math:`C` varies as
    one over :math:`n = (\mathrm{tr} C)^2 / \mathrm{tr} C^2` independent ones (Satterthwaite).

    Parameters
    ----------
    residuals : Tensor, shape (component, component)
        Covariance of the profiles around their networks, C.

    Returns
    -------
    float
        ``n / D``, in (0, 1].
    """
    residuals = residuals.double()
    squares = float(residuals.square().sum())
    if not squares > 0:
        return 1.0
    return float(residuals.trace()) ** 2 / squares / len(residuals)


@dataclass(frozen=True)
class _Weights:
    evidence: float
    prior: float

    def times(self, factor: float) -> _Weights:
        return _Weights(self.evidence * factor, self.prior * factor)

    def halfway(self, other: _Weights) -> _Weights:
        """The geometric mean of both."""
        return _Weights(
            math.sqrt(self.evidence * other.evidence), math.sqrt(self.prior * other.prior)
        )

    def warnings(self, gain: float) -> tuple[str, ...]:
        """What is suspect of weights that were learnt, and gained so much."""
        if self.evidence < _LEAST_EVIDENCE or gain < 0:
            return (
                f"the labels follow the evidence with a weight of {self.evidence:.2g} and the "
                f"prior with {self.prior:.2g}, learnt on repeated sessions: they say next to "
                "nothing of single subjects; look at the maps, or take fewer --networks",
            )
        return ()


class _HeldOut:
    """J of the weights, for each subject; on some vertices, under the others' prior."""

    def __init__(
        self,
        evidence: Tensor,
        priors: Sequence[Tensor],
        sessions: Sessions,
        pairs: Sequence[tuple[int, int, int]],
        share: float,
        seed: int,
    ) -> None:
        rows = some_vertices(sessions.mask.shape[-1], seed)
        strength = sessions.strength
        every = torch.ones_like(evidence[..., 0]) if strength is None else strength
        weighted = evidence[..., rows, :] * every[..., rows, None]
        self._subject = torch.tensor([subject for subject, _, _ in pairs])
        self._own = torch.stack([weighted[s, t] for s, t, _ in pairs])
        self._other = share * torch.stack([weighted[s, v] for s, _, v in pairs])
        mask = sessions.mask[..., rows]
        self._mask = torch.stack([mask[s, t] & mask[s, v] for s, t, v in pairs]).to(evidence)
        self._log_prior = torch.stack([priors[s][rows] for s, _, _ in pairs]).log()

    def __call__(self, weights: _Weights) -> Tensor:
        """Mean log density in nats a vertex, one for each subject with repeated sessions."""
        with torch.no_grad():
            logs = torch.tensor([math.log(weights.evidence), math.log(weights.prior)])
            return self._by_subject(logs)

    def best(self, start: _Weights) -> _Weights:
        """The weights of the largest mean."""
        logs = torch.tensor([math.log(start.evidence), math.log(start.prior)], requires_grad=True)
        optimiser = torch.optim.LBFGS([logs], lr=0.5, max_iter=40, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimiser.zero_grad()
            loss = -self._by_subject(logs).mean()
            loss.backward()
            return loss

        optimiser.step(closure)
        if not bool(torch.isfinite(logs).all()):  # stepped beyond what floats hold
            return start
        found = logs.detach().exp().clamp(*_BOUNDS)
        return _Weights(float(found[0]), float(found[1]))

    def most_decisive(self, best: _Weights) -> float:
        """The largest factor of both weights within one standard error of the best."""
        reference, factor = self(best), 1.0
        for step in range(11, int(10 * _LARGEST_FACTOR) + 1):
            loss = reference - self(best.times(step / 10))
            if float(loss.mean()) > float(loss.std()) / math.sqrt(len(loss)):
                break
            factor = step / 10
        return factor

    def _by_subject(self, logs: Tensor) -> Tensor:
        weight = logs.exp()
        labels = torch.log_softmax(weight[0] * self._own + weight[1] * self._log_prior, -1)
        density = torch.logsumexp(labels + self._other, -1)
        by_pair = (density * self._mask).sum(-1) / self._mask.sum(-1).clamp_min(1)
        names = self._subject.unique()
        return torch.stack([by_pair[self._subject == name].mean() for name in names])


def _as_evidence(weights: _Weights, theta: Tensor | None, sessions: Sessions) -> LabelEvidence:
    log_prior = None
    if theta is not None:
        log_prior = weights.prior * theta.log().expand(sessions.mask.shape[-1], -1)
    return LabelEvidence(weights.evidence, log_prior, sessions.strength)


def _subject_sums(
    evidence: Tensor, weights: _Weights, theta: Tensor | None, sessions: Sessions
) -> Tensor:
    """Mean labels of each subject's sessions, shape (subject, vertex, network)."""
    n_networks = evidence.shape[-1]
    start = evidence.new_full((1, n_networks), 1 / n_networks)
    labels = LabelModel(start if theta is None else theta, weights.evidence, weights.prior)
    means = evidence.new_zeros(evidence.shape[0], *evidence.shape[2:])
    count = evidence.new_zeros(evidence.shape[0], evidence.shape[2], 1)
    for subject, session in sessions.present.nonzero().tolist():
        there = sessions.mask[subject, session].unsqueeze(-1)
        found = labels(evidence[subject, session], sessions.strength_of(subject, session))
        means[subject] += there * found
        count[subject] += there
    return means / count.clamp_min(1)


def _group_prior(sums: Tensor, sessions: Sessions) -> Tensor:
    """The group prior; of a single subject that of all vertices, not its own labels again."""
    if _n_subjects(sessions) > 1:
        return vertex_prior(sums.sum(0), sessions.neighbours)
    return vertex_prior(sums.sum((0, 1)).unsqueeze(0)).expand(sums.shape[1], -1).contiguous()


def _n_subjects(sessions: Sessions) -> int:
    return int(sessions.present.any(-1).sum())


def _others_priors(sums: Tensor, sessions: Sessions) -> list[Tensor]:
    """For each subject the prior of the others, (vertex, network).

    Their labels were made under a prior, and with networks, that knew the subject; decision 14
    says what that does.
    """
    total = sums.sum(0)
    return [vertex_prior((total - own).clamp_min(0), sessions.neighbours) for own in sums]


def some_vertices(n_vertices: int, seed: int) -> Tensor:
    """Numbers of the vertices that J is judged on, in order."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(n_vertices, generator=generator)[:_N_VERTICES].sort().values


def _smoothed(
    labels: LabelModel,
    smoothness: float | None,
    evidence: Tensor,
    sums: Tensor,
    sessions: Sessions,
    pairs: Sequence[tuple[int, int, int]],
    share: float,
) -> tuple[LabelModel, tuple[str, ...]]:
    """The labels with the smoothness that is given, or the best on held-out sessions."""
    if smoothness is not None:
        return replace(labels, smoothness=smoothness), ()
    if sessions.neighbours is None or not pairs:
        why = "there is no mesh" if sessions.neighbours is None else "no session is repeated"
        return labels, (f"the smoothness could not be chosen, as {why}; it is 0",)
    scores = {}
    for candidate in _SMOOTHNESS:
        tried = replace(labels, smoothness=candidate)
        scores[candidate] = _heldout_of(tried, evidence, sums, sessions, pairs, share)
    return replace(labels, smoothness=max(scores, key=lambda key: scores[key])), ()


def _heldout_of(
    labels: LabelModel,
    evidence: Tensor,
    sums: Tensor,
    sessions: Sessions,
    pairs: Sequence[tuple[int, int, int]],
    share: float,
) -> float:
    """J of finished labels, on all vertices."""
    scores = []
    for pair in heldout_sessions(labels, evidence, sums, sessions, pairs):
        if not bool(pair.mask.any()):
            continue
        log_labels = pair.predicted.clamp_min(1e-30).log()
        density = torch.logsumexp(log_labels + share * pair.weighted, -1)
        scores.append(float(density[pair.mask].mean()))
    return math.fsum(scores) / max(len(scores), 1)
