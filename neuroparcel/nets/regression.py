"""Closed-form start of an affine block: ridge regression on plain summaries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from sklearn.linear_model import RidgeCV

_ALPHAS = np.logspace(-2, 4, 13)
_MAX_ROWS = 4000
_MEAN_LOG_ABS_NORMAL = -0.6352  # E log |z| for z ~ N(0, 1)
_FEW_ALPHA = 1.0  # ridge strength for a handful of summaries and many rows


@torch.no_grad()
def linear_start(
    shift: nn.Linear, log_scale: nn.Linear, summaries: Tensor, targets: Tensor
) -> None:
    """Set two linear layers to the regression of targets, and of their residuals' size.

    Ridge strength is chosen by generalised cross-validation, so that few simulations
    with many summaries start near the mean and not at noise.

    Parameters
    ----------
    shift, log_scale : nn.Linear
        Overwritten in place.
    summaries : Tensor, shape (row, n_summary), standardised
    targets : Tensor, shape (row, n)
    """
    from sklearn.linear_model import RidgeCV

    step = max(1, len(summaries) // _MAX_ROWS)
    x = summaries[::step].double().cpu().numpy()
    y = targets[::step].double().cpu().numpy()
    fit = RidgeCV(_ALPHAS).fit(x, y)
    _assign(shift, fit)
    residual = np.abs(y - fit.predict(x).reshape(y.shape))
    floor = 1e-3 * y.std(0) + np.finfo(np.float32).tiny
    sizes = np.log(np.maximum(residual, floor)) - _MEAN_LOG_ABS_NORMAL
    _assign(log_scale, RidgeCV(_ALPHAS).fit(x, sizes))


@torch.no_grad()
def coordinate_start(summaries: Tensor, targets: Tensor) -> Tensor:
    """Ridge regression of each coordinate on its own few summaries, without an intercept.

    Parameters
    ----------
    summaries : Tensor, shape (row, n_summary, n), standardised
    targets : Tensor, shape (row, n), standardised

    Returns
    -------
    Tensor, shape (n_summary, n)
    """
    x, y = summaries.double(), targets.double()
    gram = torch.einsum("rin,rjn->nij", x, x)
    gram = gram + _FEW_ALPHA * torch.eye(gram.shape[-1]).to(gram)
    weights = torch.linalg.solve(gram, torch.einsum("rin,rn->ni", x, y))
    return weights.t().to(targets)


def _assign(layer: nn.Linear, fit: RidgeCV) -> None:
    weight = torch.as_tensor(np.atleast_2d(fit.coef_)).to(layer.weight)
    bias = torch.as_tensor(np.atleast_1d(fit.intercept_)).to(layer.bias)
    layer.weight.copy_(weight.reshape(layer.weight.shape))
    layer.bias.copy_(bias)
