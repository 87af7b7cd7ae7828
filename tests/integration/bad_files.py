"""A folder of small files, good and bad ones, and the command lines that read them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner, Result
from neuroparcel_cli.main import neuroparcel

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.io.label_files import Label
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.regions import load_region
from neuroparcel.io.writers.cifti_writer import write_dlabel, write_dscalar, write_dtseries

from ..io.samples import gifti_bytes, volume_bytes

LEFT, RIGHT = "CORTEX_LEFT", "CORTEX_RIGHT"
FSAVERAGE3 = 642  # vertices of the smallest mesh of FreeSurfer
N_FRAMES, N_NODES = 40, 20
TARGETS = (100, 5000, 9000, 20000)  # right vertices of fs_LR 32k that lie on the cortex

Change = Callable[[np.ndarray], None]


class Folder:
    """Writes files by name, and gives command lines that name them.

    Parameters
    ----------
    path : Path
    patch : pytest.MonkeyPatch
        For what files cannot show: a full disk, a missing library.
    """

    def __init__(self, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.path, self.patch = path, patch

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def text(self, name: str, *lines: str) -> str:
        """Lines of text."""
        return self.bytes(name, ("\n".join(lines) + "\n").encode())

    def bytes(self, name: str, content: bytes) -> str:
        """A file in a folder that is made if it is missing."""
        (self / name).parent.mkdir(parents=True, exist_ok=True)
        (self / name).write_bytes(content)
        return name

    def table(self, *rows: str, columns: str = "subject session path") -> str:
        """``cohort.tsv``; cells are separated by blanks, ``-`` is an empty cell."""
        cells = [row.replace(" ", "\t").replace("-\t", "\t") for row in (columns, *rows)]
        return self.text("cohort.tsv", *cells)

    def listed(self, *files: str) -> str:
        """A table of one subject a file, each with one session."""
        return self.table(*(f"s{n} 1 {file}" for n, file in enumerate(files, start=1)))

    def fit(self, *more: str | Path, subjects: str | None = "cohort.tsv") -> list[str]:
        """``neuroparcel fit`` of a list."""
        named = [] if subjects is None else ["--subjects", str(self / subjects)]
        return ["fit", *named, "--output", str(self / "results"), "--quiet", *map(str, more)]

    def select(self, *more: str | Path) -> list[str]:
        """``neuroparcel select`` of the table."""
        named = ["--subjects", str(self / "cohort.tsv"), "--output", str(self / "results")]
        return ["select", *named, "--quiet", *map(str, more)]

    def build(self, *more: str | Path) -> list[str]:
        """``neuroparcel connectome build`` of the table."""
        cohort = ["--subjects", str(self / "cohort.tsv"), "--output", str(self / "store")]
        return ["connectome", "build", *cohort, "--quiet", *map(str, more)]

    def inspect(self) -> list[str]:
        """``neuroparcel connectome inspect`` of the table."""
        return ["connectome", "inspect", "--subjects", str(self / "cohort.tsv"), "--quiet"]

    def run(self, arguments: Sequence[str]) -> Result:
        """Run a command line in this process."""
        return CliRunner().invoke(neuroparcel, arguments)

    def nodes(
        self,
        name: str = "good.npy",
        shape: tuple[int, ...] = (N_FRAMES, N_NODES),
        change: Change | None = None,
    ) -> str:
        """Time series of nodes, (frame, node); ``change`` edits them first."""
        np.save(self / name, _series(name, shape, change))
        return name

    def surface(
        self,
        name: str = "good.dtseries.nii",
        n_frames: int = N_FRAMES,
        change: Change | None = None,
        *,
        tr: float = 0.72,
        axis: BrainAxis | None = None,
    ) -> str:
        """Time series of Broca's area and four right vertices of fs_LR 32k, (row, frame)."""
        rows = broca_and_targets() if axis is None else axis
        write_dtseries(self / name, rows, _series(name, (len(rows), n_frames), change), step=tr)
        return name

    def maps(self, name: str, names: Sequence[str], change: Change | None = None) -> str:
        """Named maps of Broca's area, (map, vertex); ``change`` edits them first."""
        axis = load_region("broca-left").axis
        values = _series(name, (len(names), len(axis)), change)
        write_dscalar(self / name, axis, dict(zip(names, values, strict=True)))
        return name

    def labels(self, name: str, axis: BrainAxis | None = None) -> str:
        """Two areas, the first and the second half of the rows."""
        rows = load_region("broca-left").axis if axis is None else axis
        keys = 1 + (np.arange(len(rows)) >= len(rows) // 2)
        blue = (0.0, 0.0, 1.0, 1.0)
        write_dlabel(
            self / name, rows, {"areas": keys}, (Label(1, "front", blue), Label(2, "back", blue))
        )
        return name

    def gifti(
        self, name: str, primary: str, n_vertices: int = FSAVERAGE3, n_frames: int = N_FRAMES
    ) -> str:
        """Time series of one hemisphere."""
        values = _series(name, (n_vertices, n_frames), None)
        return self.bytes(name, gifti_bytes(values, encoding="B64BIN", primary=primary))

    def volume(self, name: str, shape: Sequence[int] = (3, 4, 2, N_FRAMES)) -> str:
        """A volume, or with three dimensions a mask that is 1 everywhere."""
        values = _series(name, tuple(shape), None) if len(shape) > 3 else np.ones(shape, np.uint8)
        return self.bytes(name, volume_bytes(values))

    def targets(self) -> tuple[str, Path]:
        """The option for four targets, one vertex each: enough, and quick."""
        rows = [f"R\t{vertex}" for vertex in TARGETS]
        return "--targets", self / self.text("targets.tsv", "hemisphere\tvertex", *rows)

    def hcp(self, subject: str) -> None:
        """An HCP folder ``hcp`` of one subject with one run."""
        run = "rfMRI_REST1_LR"
        name = f"{run}_Atlas_MSMAll_hp2000_clean.dtseries.nii"
        self.text(f"hcp/{subject}/MNINonLinear/Results/{run}/{name}", "x")

    def lock(self, name: str) -> None:
        """Let the system refuse a file: root, as which tests may run, may read all."""
        for method in ("open", "read_bytes", "read_text"):
            opened = getattr(Path, method)

            def refuse(path: Path, *args: Any, opened: Any = opened, **kwargs: Any) -> Any:
                if path.name == name:
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
                return opened(path, *args, **kwargs)

            self.patch.setattr(Path, method, refuse)

    def no_room(self, where: str, free: int = 1000) -> None:
        """Let the disk have that many bytes left, as the module ``where`` sees it."""
        self.patch.setattr(f"{where}.disk_usage", lambda _: _Usage(free))


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def broca_and_targets() -> BrainAxis:
    """Rows of a small file that the default region and the list of targets can be read from."""
    region = load_region("broca-left").axis
    return fslr({LEFT: region.vertex, RIGHT: np.array(TARGETS)})


def fslr(vertices: Mapping[str, np.ndarray]) -> BrainAxis:
    """Vertices on the meshes of fs_LR 32k."""
    return BrainAxis.from_vertices("fsLR", vertices, load_cortex_axis().mesh_size)


def volume_image(name: str, shape: Sequence[int]) -> bytes:
    """A NIfTI volume of random numbers."""
    return nib.Nifti1Image(_series(name, tuple(shape), None), np.eye(4)).to_bytes()


def _series(name: str, shape: tuple[int, ...], change: Change | None) -> np.ndarray:
    values = np.random.default_rng(sum(name.encode())).normal(size=shape).astype(np.float32)
    if change is not None:
        change(values)
    return values
