"""What is packed for the surface view comes out again, where the browser looks for it."""

from __future__ import annotations

import base64
import gzip
import struct

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError
from neuroparcel.io.meshes import load_cortex_axis, load_mesh
from neuroparcel.report import surface_data
from neuroparcel.report.surface_data import (
    NO_DATA,
    STEPS,
    best_view,
    packed_library,
    packed_map,
    shown_hemispheres,
)

from .samples import SUBJECTS, both_sides, broca, cohort

MESH = 32492


def unpacked(text: str) -> bytes:
    return gzip.decompress(base64.b64decode(text))


def test_a_map_comes_back_in_hundredths_on_the_meshes_of_both_hemispheres():
    soft = cohort(both_sides(), ("a", "b", "c")).of_subject(SUBJECTS[1])
    blocks = np.frombuffer(unpacked(packed_map(soft)), np.uint8).reshape(2, 2 + 3, MESH)
    for structure, block in zip(shown_hemispheres(soft.axis), blocks, strict=True):
        rows = soft.axis.rows_in(structure)
        vertices = soft.axis.vertex[rows]
        expected = np.where(soft.has_data, soft.labels, NO_DATA)[rows]
        np.testing.assert_array_equal(block[0, vertices], expected)
        np.testing.assert_allclose(block[1, vertices] / STEPS, soft.entropy[rows], atol=0.0051)
        shares = soft.probabilities[rows].T
        np.testing.assert_allclose(block[2:, vertices] / STEPS, shares, atol=0.0051)
        outside = np.setdiff1d(np.arange(MESH), vertices)
        assert not block[:, outside].any()
    assert (blocks[:, 0] == NO_DATA).sum() == 1


def test_of_a_region_on_one_side_only_its_hemisphere_is_packed():
    soft = cohort(broca()).of_population()
    assert len(unpacked(packed_map(soft))) == (2 + 2) * MESH
    data = surface_data.surface_data(soft)
    assert [hemisphere["name"] for hemisphere in data["hemispheres"]] == ["left"]
    assert data["colours"][0] == [round(255 * part) for part in soft.colours[0][:3]]
    assert len(data["entropyColours"]) == STEPS + 1


@pytest.mark.parametrize(("side", "sign"), [("left", -1), ("right", 1)])
def test_meshes_are_what_they_were_but_apart(side, sign):
    content = unpacked(surface_data._hemisphere(f"CORTEX_{side.upper()}")["mesh"])
    coordinates, faces = load_mesh("inflated", side)
    magic, kind, n_faces, n_vertices, skipped = struct.unpack("<HHIII", content[:16])
    assert (magic, kind, skipped) == (23117, 3, 0)
    assert (n_faces, n_vertices) == (len(faces), len(coordinates))
    corners = np.frombuffer(content, "<i4", 3 * n_faces, 16).reshape(-1, 3)
    np.testing.assert_array_equal(corners, faces)
    points = np.frombuffer(content, "<f4", 3 * n_vertices, 16 + 12 * n_faces).reshape(-1, 3)
    moved = points - coordinates
    np.testing.assert_allclose(moved[:, 1:], 0, atol=1 / 60)
    np.testing.assert_allclose(moved[:, 0], 4 * sign, atol=1 / 60)


def test_the_first_view_shows_the_region():
    cortex = load_cortex_axis()
    assert best_view(broca()) == "left"
    right = cortex.restrict(cortex.rows_in("CORTEX_RIGHT"))
    across = load_mesh("inflated", "right")[0][right.vertex, 0]
    assert best_view(right.restrict(np.flatnonzero(across < 5))) == "left"  # its inner side
    assert best_view(right.restrict(np.flatnonzero(across > 50))) == "right"
    assert best_view(both_sides()) == "left"


def test_the_library_is_the_one_that_nilearn_embeds():
    text = unpacked(packed_library()).decode("utf-8")
    assert "niivue" in text[:500]
    assert "</script" not in text  # it is run from inside one
    for used in ("attachToCanvas", "setMeshProperty", "setCustomMeshShader", "indexNearestXYZmm"):
        assert used in text


def test_a_nilearn_without_the_library_is_named(monkeypatch):
    monkeypatch.setattr(surface_data, "_LIBRARY", "_assets/js/gone.js")
    packed_library.cache_clear()
    with pytest.raises(FileFormatError, match=r"nilearn \S+ holds no .*gone\.js.*Install nilearn"):
        packed_library()
    packed_library.cache_clear()


def test_packing_is_the_same_each_time():
    axis: BrainAxis = broca()
    assert packed_map(cohort(axis).of_population()) == packed_map(cohort(axis).of_population())
