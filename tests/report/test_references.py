"""The bibliography is sound, and a run cites what it used and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neuroparcel.brain.atlas import Region
from neuroparcel.report.references import METHODS, bibliography, used_references
from neuroparcel.report.run import ReportedRun

from ..plotting.stability_samples import report_of
from .samples import NODES, broca, cohort, record


def keys_of(settings: dict[str, Any], axis=None, areas=("L_44",), **changed: Any) -> dict[str, str]:
    """Key and reason of each reference of a run with these settings."""
    axis = broca() if axis is None else axis
    run = ReportedRun(
        "results",
        record(axis, [], **changed),
        settings,
        "neuroparcel fit",
        cohort(axis),
        {},
        Region("part", axis, tuple(areas), np.full(len(axis), areas[0])),
        {},
        undrawn="nodes" if axis.is_nodes else None,
    )
    return {reference.key: reference.why for reference in used_references(run)}


@pytest.mark.parametrize("entry", bibliography().values(), ids=bibliography().keys())
def test_entries_are_whole(entry):
    fields = dict(re.findall(r"^  (\w+) = \{(.+)\},?$", entry, re.MULTILINE))
    assert entry.count("{") == entry.count("}")
    assert len(fields) == entry.count("\n") - 1
    assert {"title", "author"} <= fields.keys()
    software = entry.startswith("@software")
    assert software or {"year"} < fields.keys()
    if entry.startswith("@article"):
        assert {"journal", "volume", "pages"} <= fields.keys()
    if "doi" in fields:
        assert re.fullmatch(r"10\.\d{4,}/\S+", fields["doi"])


def test_every_method_has_an_entry_and_every_entry_a_use():
    atlases = {"glasser2016", "ji2019", "yeo2011"}
    assert {key for key, _, _ in METHODS} | atlases == bibliography().keys()


def test_amortized_inference_and_its_parts_are_cited():
    found = keys_of({"family": "adavi", "emission": "l-normal", "link": "ilr"})
    both = "its formulation with Gaussian networks; amortized inference"
    assert found["rouillard2022"] == both
    assert {"lee2019", "rozet2022", "bingham2019", "egozcue2003", "ledoit2004"} <= found.keys()
    assert not {"blei2017", "mardia2000", "miller2019", "naeini2015", "kuhn1955"} & found.keys()


def test_closed_forms_and_directions_are_cited():
    settings = {"family": "reference", "emission": "von-mises-fisher", "link": "direction"}
    found = keys_of({**settings, "label_prior": "vertex"}, agreement={})
    assert {"blei2017", "mardia2000", "miller2019"} <= found.keys()
    unused = {"rouillard2022", "lee2019", "bingham2019", "egozcue2003", "ledoit2004", "hubert1985"}
    assert not unused & found.keys()


def test_atlases_are_cited_by_what_they_gave():
    identity = {"reference": "yeo17"}
    found = keys_of({"roi": "broca-left", "targets": "cole-anticevic"}, identity=identity)
    assert found["glasser2016"] == "the region; anatomical areas"
    assert found["ji2019"] == "the targets"
    assert found["yeo2011"] == "the reference of the networks"
    assert found["kuhn1955"]
    own = keys_of({"roi": "my.dlabel.nii"}, areas=("mine",))
    assert not {"glasser2016", "ji2019", "yeo2011"} & own.keys()


def test_cleaning_and_calibration_are_cited_where_they_were_done():
    steps = {"cleaning": {"confounds": "simple", "band_pass": None}}
    labels = {"calibration": {"temperature": 1.1}, "reliability": {"brier": 0.5}}
    found = keys_of({}, recipe=steps, labels=labels)
    assert {"nilearn", "guo2017", "naeini2015"} <= found.keys()
    assert "lindquist2019" not in found
    assert "lindquist2019" in keys_of({})  # two steps


def test_a_stability_analysis_cites_its_statistics():
    found = report_of(cohort(NODES).of_population())
    run = ReportedRun(
        "results",
        record(NODES, [], agreement={}),
        {},
        "",
        cohort(NODES),
        {},
        Region("part", NODES, ("x",), np.full(len(NODES), "x")),
        {},
        undrawn="nodes",
        stability=found,
    )

    def keys(run: ReportedRun) -> set[str]:
        return {reference.key for reference in used_references(run)}

    of_all = {"hubert1985", "dice1945", "efron1992"}
    assert of_all | {"shrout1979", "finn2015"} <= keys(run)
    assert "alexanderbloch2018" not in keys(run)
    spun = tuple(replace(one, null=0.1) for one in found.statistics)
    single = replace(run, stability=replace(found, reliability=None, statistics=spun))
    assert of_all | {"alexanderbloch2018"} <= keys(single)
    assert not {"shrout1979", "finn2015"} & keys(single)
    assert not of_all & keys(replace(run, stability=None))


def test_nodes_cite_no_surface():
    found = keys_of({}, axis=NODES)
    assert not {"vanessen2012", "vanessen2013", "glasser2016"} & found.keys()


def test_the_version_of_the_software_is_that_of_the_run():
    run_version = {"neuroparcel": "9.8.7"}
    axis = broca()
    run = ReportedRun(
        "r",
        record(axis, [], versions=run_version),
        {},
        "",
        cohort(axis),
        {},
        Region("part", axis, ("x",), np.full(len(axis), "x")),
        {},
    )
    assert "version = {9.8.7}" in used_references(run)[0].bibtex
