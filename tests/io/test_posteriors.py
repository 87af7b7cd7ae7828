"""Posteriors as NetCDF, some subjects at a time."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from neuroparcel.io.writers.posteriors import posterior_file

DIMENSIONS = {"subject": ["s1", "s2", "s3"], "session": ["a", "b"], "network": ["n1", "n2"]}
DIMS = ("subject", "session", "network")


def test_what_is_written_in_parts_is_read_whole(tmp_path):
    path = tmp_path / "posterior.nc"
    values = np.random.default_rng(0).normal(size=(3, 2, 2)).astype(np.float32)
    with posterior_file(path, DIMENSIONS, {"emission": "l-normal"}) as file:
        file.add("session_networks_mean", DIMS, values[:2], slice(0, 2))
        file.add("session_networks_mean", DIMS, values[2:], slice(2, 3))
        file.add("log_sigma_mean", ("network",), np.array([1.0, 2.0]), slice(0, 2))
        file.add("log_kappa_mean", (), np.array(0.5))
        assert not path.exists()
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["session_networks_mean"], values)
        assert file["log_sigma_mean"][...].tolist() == [1, 2]
        assert file["log_kappa_mean"][()] == 0.5
        assert file["subject"].asstr()[...].tolist() == ["s1", "s2", "s3"]
        assert file.attrs["emission"] == "l-normal"


def test_other_tools_know_the_dimensions(tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    path = tmp_path / "posterior.nc"
    with posterior_file(path, DIMENSIONS, {"title": "one"}) as file:
        file.add("subject_networks_sd", ("subject", "network"), np.ones((1, 2)), slice(1, 2))
    with xarray.open_dataset(path, engine="h5netcdf") as data:
        assert data["subject_networks_sd"].dims == ("subject", "network")
        assert data["network"].values.tolist() == ["n1", "n2"]
        assert data["subject_networks_sd"].sel(subject="s2").values.tolist() == [1, 1]
        assert np.isnan(data["subject_networks_sd"].sel(subject="s1")).all()
        assert data.attrs["title"] == "one"


def test_an_interrupted_file_does_not_appear(tmp_path):
    with pytest.raises(KeyboardInterrupt), posterior_file(tmp_path / "p.nc", DIMENSIONS, {}):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
