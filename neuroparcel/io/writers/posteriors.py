"""The posterior of networks and scales as NetCDF, written some subjects at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuroparcel.atomic import atomic_path
from neuroparcel.types import FloatArray

if TYPE_CHECKING:
    import h5py

POSTERIOR_FILE = "desc-networks_posterior.nc"

_SUBJECT = "subject"


class PosteriorWriter:
    """An open file of posteriors, see :func:`posterior_file`.

    Parameters
    ----------
    file : h5py.File
        With its dimensions.
    """

    def __init__(self, file: h5py.File) -> None:
        self._file = file

    def add(
        self, name: str, dims: Sequence[str], values: FloatArray, rows: slice = slice(None)
    ) -> None:
        """Write a variable, or some subjects of it.

        Parameters
        ----------
        name : str
            Such as ``"subject_networks_mean"``.
        dims : sequence of str
            Names of its dimensions, which the file has.
        values : ndarray, shape of the dimensions (of ``rows`` along the subjects)
            Stored as float32. A variable without subjects is written anew each time.
        rows : slice
            Positions of the subjects, where ``subject`` is the first dimension.
        """
        if name not in self._file:
            self._create(name, dims)
        place = rows if dims[:1] == (_SUBJECT,) else ...
        self._file[name][place] = np.asarray(values, np.float32)

    def _create(self, name: str, dims: Sequence[str]) -> None:
        shape = tuple(len(self._file[dim]) for dim in dims)
        variable = self._file.create_dataset(name, shape, np.float32, fillvalue=np.nan)
        for number, dim in enumerate(dims):
            variable.dims[number].attach_scale(self._file[dim])
        variable.attrs["long_name"] = name.replace("_", " ")


@contextmanager
def posterior_file(
    path: Path, dimensions: Mapping[str, Sequence[str]], about: Mapping[str, str]
) -> Iterator[PosteriorWriter]:
    """A file of posteriors that appears once the block succeeds.

    NetCDF-4, which is HDF5 with named dimensions: ``xarray.open_dataset``, MATLAB's ``ncread``
    and R's ``ncdf4`` read it.

    Parameters
    ----------
    path : Path
        Ends in ``.nc``.
    dimensions : mapping of str to sequence of str
        Names along each dimension.
    about : mapping of str to str
        Attributes of the file.

    Examples
    --------
    >>> names = {"subject": ["s1", "s2"], "network": ["Network1"]}
    >>> with posterior_file(Path("posterior.nc"), names, {}) as file:  # doctest: +SKIP
    ...     file.add("log_sigma_mean", ("network",), np.zeros(1))
    """
    import h5py

    # NetCDF keeps the order in which things were made.
    with atomic_path(path) as aside, h5py.File(aside, "w", track_order=True) as file:
        file.attrs.update(about)
        for name, entries in dimensions.items():
            file[name] = np.array([*entries], dtype=h5py.string_dtype())
            file[name].make_scale(name)
        yield PosteriorWriter(file)
