"""NIfTI volumes, of which the voxels inside a mask are rows."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError
from neuroparcel.io.formats.content import one_line
from neuroparcel.io.formats.matrix import DataMatrix
from neuroparcel.io.formats.nifti_header import NiftiHeader, read_nifti_header
from neuroparcel.io.formats.spaces import space_of_name
from neuroparcel.types import BoolArray, FloatArray, IntArray

VOLUME = "OTHER"
"""Structure of the voxels of a volume, CIFTI's name for what no structure is told of."""

_MAX_VOXELS = 2**28
_MAX_MILLIMETRES = 1e6
_MILLIMETRES = 1e-3  # affines of the same grid, written by two programs, differ by less


def read_nifti(path: Path, mask: Path | None = None) -> DataMatrix:
    """Open a NIfTI volume.

    Parameters
    ----------
    path : pathlib.Path
        A ``.nii`` or ``.nii.gz`` file of three or four dimensions.
    mask : pathlib.Path, optional
        A volume on the same grid that is 1 inside the brain and 0 outside. There is no
        default: which voxels count is never guessed.

    Returns
    -------
    DataMatrix
        Its rows are the voxels inside the mask, in the order in which nilearn's
        ``NiftiMasker`` has them; its frames are time points, the TR that of the header.

    Raises
    ------
    FileFormatError
        If a file is missing, empty, truncated or no NIfTI volume, if there is no mask, or if
        it is empty, not binary, or lies on another grid.
    """
    header = read_nifti_header(path)
    if header.is_cifti or not 3 <= len(header.shape) <= 4:
        raise FileFormatError(
            f"{path} has {len(header.shape)} dimensions; a volume in time has 4.",
            "Give a bold.nii.gz file, or a CIFTI file with its own ending (.dtseries.nii).",
        )
    if mask is None:
        raise FileFormatError(
            f"{path} is a volume and needs a brain mask on its grid of "
            f"{_grid(header)}, of which none is given.",
            "Add a column mask to the list of recordings: fMRIPrep writes one for each run "
            "(desc-brain_mask.nii.gz).",
        )
    inside = read_mask(mask, header)
    # Fortran order is the file's, C order is nilearn's: the rows are in the latter.
    voxels = np.argwhere(inside)
    places: IntArray = np.asarray(
        np.ravel_multi_index(tuple(voxels.T), inside.shape, order="F"), dtype=np.int64
    )
    block = header.block(n_inner=inside.size)
    return DataMatrix(
        (path,),
        axis_of_voxels(voxels, header, space_of_name(path)),
        "series",
        block.n_outer,
        (),
        (),
        header.step if len(header.shape) == 4 else None,
        None,
        lambda rows: block.take_inner(places if rows is None else places[rows]),
    )


def read_mask(path: Path, like: NiftiHeader) -> BoolArray:
    """Read a brain mask through nilearn, held to the grid of a volume.

    Parameters
    ----------
    path : pathlib.Path
        The mask.
    like : NiftiHeader
        Header of the volume.

    Returns
    -------
    (i, j, k) array of bool

    Raises
    ------
    FileFormatError
        If it cannot be read, is empty or not binary, or lies on another grid.
    """
    from nilearn.masking import load_mask_img

    header = read_nifti_header(path)
    if not _same_grid(header, like):
        raise FileFormatError(
            f"The mask {path} lies on a grid of {_grid(header)}, {like.path} on one of "
            f"{_grid(like)}.",
            "Give the mask of this recording, or resample it: nilearn.image.resample_to_img("
            "mask, volume, interpolation='nearest').",
        )
    header.block(n_inner=1)
    try:
        with quiet():
            inside, _ = load_mask_img(str(path))
    except Exception as error:  # nilearn passes on whatever nibabel's reader raises
        raise FileFormatError(
            f"The mask {path} is unusable ({one_line(error)}).",
            "A mask is 1 inside the brain and 0 outside.",
        ) from error
    return np.asarray(inside, dtype=bool)


def axis_of_voxels(voxels: np.ndarray, header: NiftiHeader, space: str) -> BrainAxis:
    """Axis of voxels of a volume.

    Parameters
    ----------
    voxels : (row, 3) array of int
        Indices of the voxels.
    header : NiftiHeader
        Of the volume.
    space : str
        Name of the template space.
    """
    n_rows = len(voxels)
    i, j, k = header.shape[:3]
    vertex = np.full(n_rows, -1)
    return BrainAxis(space, np.full(n_rows, VOLUME), vertex, voxels, {}, header.affine, (i, j, k))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what nibabel and nilearn print on odd headers to themselves; errors pass."""
    logger = logging.getLogger("nibabel.global")

    def never(record: logging.LogRecord) -> bool:
        return False

    logger.addFilter(never)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeFilter(never)


def _same_grid(one: NiftiHeader, other: NiftiHeader) -> bool:
    for header in (one, other):
        _check_grid(header)
    return one.shape[:3] == other.shape[:3] and np.allclose(
        one.affine, other.affine, rtol=0, atol=_MILLIMETRES
    )


def _check_grid(header: NiftiHeader) -> None:
    is_sane = (np.abs(header.affine) < _MAX_MILLIMETRES).all()  # not if it holds NaN
    if math.prod(header.shape[:3]) > _MAX_VOXELS or not is_sane:
        raise FileFormatError(
            f"{header.path} has a header that makes no sense ({_grid(header)}).",
            "Copy or download it again.",
        )


def _grid(header: NiftiHeader) -> str:
    """Shape, voxel size and origin, for messages."""
    affine: FloatArray = header.affine
    size = " x ".join(f"{length:.3g}" for length in _lengths(affine))
    origin = ", ".join(f"{place:.4g}" for place in affine[:3, 3])
    return f"{' x '.join(map(str, header.shape[:3]))} voxels of {size} mm from ({origin})"


def _lengths(affine: FloatArray) -> list[float]:
    """Sizes of a voxel; hypot knows neither overflow nor warnings."""
    return [math.hypot(*column) for column in affine[:3, :3].T.tolist()]
