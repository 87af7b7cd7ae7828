"""CIFTI-2 files of any matrix of maps, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.atomic import atomic_path

if TYPE_CHECKING:
    from nibabel.cifti2 import Cifti2MatrixIndicesMap


class CiftiMatrixWriter:
    """Writes files whose rows are the same.

    nibabel turns the rows into XML anew for every file, which takes longer than all the
    rest; this class does it once for all files with the same columns, and the bytes are those
    that Cifti2Image.to_filename writes.

    Parameters
    ----------
    rows : Cifti2MatrixIndicesMap
        What dimension 1 runs over, such as vertices or parcels.
    """

    def __init__(self, rows: Cifti2MatrixIndicesMap) -> None:
        self._rows = rows
        self._made: dict[bytes, bytes] = {}

    def write(
        self,
        path: str | os.PathLike[str],
        columns: Cifti2MatrixIndicesMap,
        values: np.ndarray,
        intent: str,
    ) -> Path:
        """Write a matrix.

        Parameters
        ----------
        path : path-like
        columns : Cifti2MatrixIndicesMap
            What dimension 0 runs over, such as maps.
        values : (column, row) array
            Stored as they are.
        intent : str
            Such as ``"ConnDenseScalar"``.
        """
        from nibabel.nifti1 import Nifti1Extension
        from nibabel.nifti2 import Nifti2Header

        header = Nifti2Header()
        header["magic"] = header.single_magic
        header.set_intent(intent)
        header.set_data_dtype(values.dtype)
        # CIFTI keeps the first four dimensions of NIfTI at 1.
        header.set_data_shape((1, 1, 1, 1, *values.shape))
        header.set_slope_inter(1, 0)
        header.extensions.append(Nifti1Extension("cifti", self._xml(columns)))
        with atomic_path(Path(path)) as temporary, temporary.open("wb") as stream:
            header.write_to(stream)
            # The values of a row lie together; nibabel calls write for each of 59,412 rows.
            stream.write(np.ascontiguousarray(values.T).data)
        return Path(path)

    def _xml(self, columns: Cifti2MatrixIndicesMap) -> bytes:
        from nibabel.cifti2 import Cifti2Header, Cifti2Matrix

        key: bytes = columns.to_xml()
        if key not in self._made:
            matrix = Cifti2Matrix()
            matrix.append(columns)
            matrix.append(self._rows)
            self._made[key] = Cifti2Header(matrix).to_xml()
        return self._made[key]
