"""What training does when a loss or its gradient is not finite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

Weights = dict[str, Tensor]

_SNAPSHOT_EVERY = 25  # finite steps
_FAILURES = 3  # in a row that count as divergence; fewer are bad batches
_MAX_RETURNS = 5  # to the same good weights


@dataclass
class Recovery:
    """Good weights to go back to, and how often one stage had to.

    A batch without a finite gradient moves no weights, so it is skipped: a vague prior
    now and then simulates one. Only several in a row say that the weights themselves
    have diverged; then training goes back to weights that were good, at half the rate.

    Attributes
    ----------
    good : dict of name to Tensor
        The last weights that gave a finite gradient.
    candidate : dict of name to Tensor
        Later weights, whose gradient is not known yet; ``good`` where there are none.
    rate_factor : float
        Of the learning rate.
    moved : int
        Finite steps since the candidate was taken.
    skipped : int
        Batches without a finite gradient.
    in_a_row : int
        Of those, since the last finite step or return.
    returns : int
        To ``good`` since it was last replaced.
    """

    good: Weights
    candidate: Weights
    rate_factor: float = 1.0
    moved: int = 0
    skipped: int = 0
    in_a_row: int = 0
    returns: int = 0

    @classmethod
    def start(cls, module: nn.Module) -> Recovery:
        """With nothing better than the present weights."""
        weights = copy_weights(module)
        return cls(weights, weights)

    @property
    def exhausted(self) -> bool:
        """Whether going back again would not help."""
        return self.returns > _MAX_RETURNS

    def before_step(self, module: nn.Module) -> None:
        """Take a new candidate when the last is old."""
        if self.moved >= _SNAPSHOT_EVERY:
            self.candidate, self.moved = copy_weights(module), 0

    def succeeded(self) -> None:
        """A step was finite, so the candidate is good."""
        if self.candidate is not self.good:
            self.good, self.returns = self.candidate, 0
        self.in_a_row = 0
        self.moved += 1

    def failed(self) -> bool:
        """A step was not finite, and was not taken; whether the weights are to go back."""
        self.skipped += 1
        self.in_a_row += 1
        if self.in_a_row < _FAILURES:
            return False
        self.returns += 1
        self.rate_factor *= 0.5
        return True

    def go_back(self, module: nn.Module) -> None:
        """Put the good weights into a module."""
        module.load_state_dict(self.good)
        self.candidate, self.moved, self.in_a_row = self.good, 0, 0

    def tensors(self) -> Weights:
        """The weights, to be saved."""
        saved = {f"good/{name}": tensor for name, tensor in self.good.items()}
        if self.candidate is not self.good:
            saved |= {f"candidate/{name}": tensor for name, tensor in self.candidate.items()}
        return saved

    def counters(self) -> dict[str, float]:
        """All but the weights, to be saved."""
        return {
            "rate_factor": self.rate_factor,
            "moved": self.moved,
            "skipped": self.skipped,
            "in_a_row": self.in_a_row,
            "returns": self.returns,
        }

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], counters: Mapping[str, float]) -> Recovery:
        """Undo :meth:`tensors` and :meth:`counters`."""
        good = below("good/", tensors)
        return cls(good, below("candidate/", tensors) or good, **counters)  # type: ignore[arg-type]


def copy_weights(module: nn.Module) -> Weights:
    """The state of a module, which later steps leave as it is."""
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def below(prefix: str, tensors: Mapping[str, Tensor]) -> Weights:
    """The tensors whose name begins with a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
