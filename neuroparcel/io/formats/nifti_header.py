"""The header of a NIfTI-1 or NIfTI-2 file, on which volumes and CIFTI-2 matrices both rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from neuroparcel.errors import FileFormatError, NeuroparcelError
from neuroparcel.io.formats.blocks import Block, check_is_real
from neuroparcel.io.formats.content import (
    check_holds,
    check_is_content,
    is_compressed,
    one_line,
    open_stream,
)

_SIZE_OF_NIFTI1, _SIZE_OF_NIFTI2 = 348, 540
_CIFTI_INTENTS = range(3000, 3100)
_CIFTI_EXTENSION = 32
# The standard's codes of NIFTI_UNITS_SEC, _MSEC and _USEC in the bits of xyzt_units.
_SECONDS = {8: 1.0, 16: 1e-3, 24: 1e-6}
_TIME_BITS = 0x38


@dataclass(frozen=True, eq=False)
class NiftiHeader:
    """What a NIfTI header says, and where the numbers lie.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    version : int
        1 or 2.
    shape : tuple of int
        Shape of the numbers, the first dimension varying fastest.
    dtype : numpy.dtype
        Of the numbers as stored, byte order included.
    offset : int
        Bytes before the numbers.
    slope, intercept : float
        A stored number x stands for ``slope * x + intercept``.
    affine : (4, 4) array of float
        Voxel indices to millimetres.
    intent : int
        NIfTI's code of what the numbers are.
    step : float, optional
        Seconds along the fourth dimension; None where the header names no unit of time.
    order : {"<", ">"}
        Byte order of the header.
    compressed : bool
        Whether the file is gzipped.
    """

    path: Path
    version: int
    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int
    slope: float
    intercept: float
    affine: npt.NDArray[np.float64]
    intent: int
    step: float | None
    order: str
    compressed: bool

    @property
    def is_cifti(self) -> bool:
        """Whether the header announces a CIFTI matrix."""
        return self.version == 2 and self.intent in _CIFTI_INTENTS

    def block(self, n_inner: int) -> Block:
        """Where the numbers lie, as runs of ``n_inner``; checked against the size of the file.

        Raises
        ------
        FileFormatError
            If the file is shorter than promised, or holds no real numbers.
        """
        n_values = int(np.prod(np.array(self.shape, dtype=object)))
        block = Block(
            self.path,
            self.dtype,
            n_values // n_inner,
            n_inner,
            self.offset,
            self.slope,
            self.intercept,
            self.open if self.compressed else None,
        )
        check_holds(self.path, block.n_bytes, compressed=self.compressed)
        return block

    def open(self) -> BinaryIO:
        """Open the file for reading, decompressing it on the way."""
        return open_stream(self.path, self.compressed)

    def cifti_xml(self) -> bytes | None:
        """The XML of a CIFTI file; None if there is none.

        Raises
        ------
        FileFormatError
            If an extension does not fit before the numbers.
        """
        check_holds(self.path, self.offset)
        with self.open() as stream:
            stream.seek(_SIZE_OF_NIFTI2)
            if stream.read(4)[:1] != b"\x01":
                return None
            position = _SIZE_OF_NIFTI2 + 4
            while position + 8 <= self.offset:
                head = np.frombuffer(stream.read(8), dtype=f"{self.order}i4")
                size, code = (int(number) for number in head) if len(head) == 2 else (0, 0)
                if not 8 <= size <= self.offset - position:
                    raise FileFormatError(
                        f"{self.path} is not a readable CIFTI file (an extension of {size} bytes "
                        f"does not fit before the numbers at byte {self.offset}).",
                        "Copy or download it again.",
                    )
                if code == _CIFTI_EXTENSION:
                    return stream.read(size - 8).rstrip(b"\x00 \n\r\t")
                stream.seek(size - 8, 1)
                position += size
        return None


def read_nifti_header(path: Path) -> NiftiHeader:
    """Read the header of a NIfTI file.

    Parameters
    ----------
    path : pathlib.Path
        A ``.nii`` or ``.nii.gz`` file, CIFTI included.

    Returns
    -------
    NiftiHeader

    Raises
    ------
    FileFormatError
        If the file is missing, empty, truncated or no NIfTI file.
    """
    check_is_content(path)
    compressed = is_compressed(path)
    try:
        with open_stream(path, compressed) as stream:
            start = stream.read(_SIZE_OF_NIFTI2)
        return _parse(path, start, compressed)
    except NeuroparcelError:
        raise
    except Exception as error:  # nibabel and zlib pass on whatever a damaged header makes them
        raise FileFormatError(
            f"{path} is not a readable NIfTI file ({one_line(error)}).",
            "It may be truncated, or of another format.",
        ) from error


def _parse(path: Path, start: bytes, compressed: bool) -> NiftiHeader:
    import nibabel as nib

    sizes = {int(np.frombuffer(start[:4], f"{order}i4")[0]) for order in "<>" if len(start) >= 4}
    versions = {_SIZE_OF_NIFTI1: nib.Nifti1Header, _SIZE_OF_NIFTI2: nib.Nifti2Header}
    known = sizes & versions.keys()
    if not known:
        raise FileFormatError(
            f"{path} is not a readable NIfTI file (it does not begin with a NIfTI header).",
            "It may be truncated, or of another format.",
        )
    size = known.pop()
    if len(start) < size:
        raise FileFormatError(
            f"{path} is truncated: {len(start)} bytes, where a header takes {size}.",
            "Copy or download it again.",
        )
    header = versions[size](start[:size], check=False)
    if bytes(header["magic"])[:3] not in (b"n+1", b"n+2"):
        raise FileFormatError(
            f"{path} is not a readable NIfTI file (its numbers lie in another file, or it is "
            "damaged).",
            "Convert a pair of .hdr and .img files to one .nii file.",
        )
    return _interpret(path, header, compressed)


def _interpret(path: Path, header: Any, compressed: bool) -> NiftiHeader:
    n_dimensions = int(header["dim"][0])
    shape = tuple(int(n) for n in header["dim"][1 : n_dimensions + 1])
    offset = int(header["vox_offset"])
    if not 1 <= n_dimensions <= 7 or min(shape) < 1 or offset < 0:
        raise FileFormatError(
            f"{path} has a header that makes no sense ({n_dimensions} dimensions, of sizes "
            f"{shape}, and numbers from byte {offset}).",
            "Copy or download it again.",
        )
    dtype = header.get_data_dtype()
    check_is_real(path, dtype)
    slope, intercept = header.get_slope_inter()
    return NiftiHeader(
        path,
        1 if int(header["sizeof_hdr"]) == _SIZE_OF_NIFTI1 else 2,
        shape,
        dtype,
        offset,
        1.0 if slope is None else float(slope),
        0.0 if intercept is None else float(intercept),
        np.asarray(header.get_best_affine(), dtype=np.float64),
        int(header["intent_code"]),
        _step(header),
        header.endianness,
        compressed,
    )


def _step(header: Any) -> float | None:
    unit = _SECONDS.get(int(header["xyzt_units"]) & _TIME_BITS)
    step = float(header["pixdim"][4])
    return step * unit if unit and np.isfinite(step) and step > 0 else None
