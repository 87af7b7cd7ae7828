"""Bijections of unbounded vectors onto triangular, positive definite and correlation matrices.

A matrix is counted by its free entries: a lower triangle row by row, with its
diagonal (``n (n + 1) / 2`` coordinates) or without (``n (n - 1) / 2``). Volumes
are taken with respect to those entries, as in torch's Wishart and LKJ densities.

References
----------
Lewandowski, Kurowicka and Joe, Generating random correlation matrices based on
vines and extended onion method, Journal of Multivariate Analysis 2009.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Transform, constraints
from torch.nn.functional import softplus


class _Triangle(Transform):
    """From the entries of a lower triangle, row by row, to a matrix."""

    domain = constraints.real_vector
    codomain: constraints.Constraint = constraints.lower_triangular
    bijective = True
    offset: int  # of the outermost free diagonal: 0, or -1 if the diagonal is given

    def forward_shape(self, shape: tuple[int, ...]) -> torch.Size:
        """Square matrices."""
        n = _order(shape[-1], self.offset)
        return torch.Size((*shape[:-1], n, n))

    def inverse_shape(self, shape: tuple[int, ...]) -> torch.Size:
        """Vectors of the free entries."""
        n = shape[-1] + self.offset
        return torch.Size((*shape[:-2], n * (n + 1) // 2))

    def _fill(self, entries: Tensor) -> Tensor:
        shape = self.forward_shape(tuple(entries.shape))
        rows, columns = self._free(shape[-1], entries.device)
        matrix = entries.new_zeros(shape)
        matrix[..., rows, columns] = entries
        return matrix

    def _entries(self, matrix: Tensor) -> Tensor:
        rows, columns = self._free(matrix.shape[-1], matrix.device)
        return matrix[..., rows, columns]

    def _free(self, n: int, device: torch.device) -> tuple[Tensor, Tensor]:
        rows, columns = torch.tril_indices(n, n, self.offset, device=device)
        return rows, columns


class LowerCholesky(_Triangle):
    """Lower triangles whose diagonal is made positive by ``diagonal``.

    Parameters
    ----------
    diagonal : Transform
        Bijection of the real line onto the positive half line.
    """

    codomain = constraints.lower_cholesky
    offset = 0

    def __init__(self, diagonal: Transform) -> None:
        super().__init__()
        self.diagonal = diagonal

    def _call(self, x: Tensor) -> Tensor:
        matrix = self._fill(x)
        return matrix.tril(-1) + torch.diag_embed(self.diagonal(_diagonal(matrix)))

    def _inverse(self, y: Tensor) -> Tensor:
        return self._entries(y.tril(-1) + torch.diag_embed(self.diagonal.inv(_diagonal(y))))

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """That of the diagonal; shape (...)."""
        free = _diagonal(self._fill(x))
        return self.diagonal.log_abs_det_jacobian(free, _diagonal(y)).sum(-1)


class UnitLowerCholesky(_Triangle):
    """Lower triangles with ones on the diagonal."""

    offset = -1

    def _call(self, x: Tensor) -> Tensor:
        matrix = self._fill(x)
        return matrix + torch.eye(matrix.shape[-1], dtype=x.dtype, device=x.device)

    def _inverse(self, y: Tensor) -> Tensor:
        return self._entries(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Zero; shape (...)."""
        return x.new_zeros(x.shape[:-1])


class CorrelationCholesky(_Triangle):
    r"""Lower triangles with positive diagonal and rows of norm one.

    .. math::
        L_{ij} = \tanh(x_{ij}) \prod_{k < j} \operatorname{sech}(x_{ik}), \qquad
        L_{ii} = \prod_{k < i} \operatorname{sech}(x_{ik})

    The volume is that of the entries below the diagonal.
    """

    codomain = constraints.corr_cholesky
    offset = -1

    def _call(self, x: Tensor) -> Tensor:
        angles = self._fill(x)
        left = _log_sech(angles).cumsum(-1).roll(1, -1)
        left = torch.cat([torch.zeros_like(left[..., :1]), left[..., 1:]], -1)
        ones = torch.eye(angles.shape[-1], dtype=x.dtype, device=x.device)
        return (angles.tanh() + ones) * left.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        later = y.square().flip(-1).cumsum(-1).flip(-1)
        rest = self._entries(later.roll(-1, -1))  # row norm right of each entry below the diagonal
        return torch.asinh(self._entries(y) / rest.sqrt())

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Sum of ``(1 + i - j) log sech(x_ij)``; shape (...)."""
        rows, columns = self._free(y.shape[-1], y.device)
        return (_log_sech(x) * (1 + rows - columns)).sum(-1)


def _order(n_entries: int, offset: int) -> int:
    """Rows of the matrix whose lower triangle has so many free entries."""
    return (math.isqrt(8 * n_entries + 1) - 1) // 2 - offset


def _diagonal(matrix: Tensor) -> Tensor:
    return matrix.diagonal(dim1=-2, dim2=-1)


def _log_sech(x: Tensor) -> Tensor:
    return math.log(2.0) - x.abs() - softplus(-2 * x.abs())
