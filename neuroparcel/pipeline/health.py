"""Whether this installation works: versions, device, memory, a tiny fit."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from neuroparcel.errors import NeuroparcelError
from neuroparcel.families.adavi import Adavi
from neuroparcel.graph.template import analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.data import PlateRanges, Simulations
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.inference.stages import Schedule, Stage
from neuroparcel.inference.trainer import train
from neuroparcel.io.meshes import load_mesh
from neuroparcel.io.regions import load_region
from neuroparcel.models.toys import gaussian_random_effects, random_effects_log_evidence
from neuroparcel.versions import versions

_LARGEST_GAP = 0.01


@dataclass(frozen=True)
class Check:
    """One finding of the doctor."""

    name: str
    ok: bool
    detail: str


def doctor() -> list[Check]:
    """Check versions, device, memory, atlases, and a tiny fit with a known answer."""
    return [
        Check("versions", True, ", ".join(f"{k} {v}" for k, v in versions().items())),
        _device(),
        _memory(),
        _attempt("atlases", _atlases),
        _attempt("tiny fit", _tiny_fit),
    ]


def _attempt(name: str, check: Callable[[], tuple[bool, str]]) -> Check:
    try:
        ok, detail = check()
    except (NeuroparcelError, ImportError, OSError, RuntimeError) as error:
        return Check(name, False, f"{type(error).__name__}: {error}")
    return Check(name, ok, detail)


def _device() -> Check:
    if torch.cuda.is_available():
        return Check("device", True, f"GPU: {torch.cuda.get_device_name()}")
    return Check("device", True, f"CPU, {torch.get_num_threads()} threads (no GPU found)")


def _memory() -> Check:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    gib = pages * size / 2**30
    return Check("memory", gib >= 4, f"{gib:.1f} GiB; 4 are needed for a region")


def _atlases() -> tuple[bool, str]:
    n_vertices = load_region("broca-left").n_vertices
    coordinates, _ = load_mesh("inflated", "left")
    return (
        n_vertices == 339,
        f"broca-left has {n_vertices} vertices on a mesh of {len(coordinates)}",
    )


def _tiny_fit() -> tuple[bool, str]:
    """Gaussian random effects: the evidence is known in closed form."""
    started = time.monotonic()
    template = analyse(gaussian_random_effects)
    stream = Simulations(template, PlateRanges(((2, 4), (20, 60)), 2000, 16))
    stage = Stage("posterior", "reverse-kl", 50, 1e-3, ("encoder", "shift", "scale", "flow"))
    with seeded(0):
        family = Adavi(template.graph)
        family.start([(b.latents or {}, b.data) for b in (stream.draw() for _ in range(10))])
        _, data = template.simulate((3, 50), 1)
    train(family, template, stream, Schedule((stage,)), seed=0)
    exact = float(random_effects_log_evidence(data.values)[0])
    gap = (exact - AmortizedPosterior(template, family)(data).elbo()) / abs(exact)
    seconds = time.monotonic() - started
    detail = f"bound {gap:.3%} from the exact log evidence, in {seconds:.0f} s"
    return abs(gap) < _LARGEST_GAP, detail
