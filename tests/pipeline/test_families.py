"""The registry of families: every entry is what it says, and unknown names are refused."""

from __future__ import annotations

import pytest

from neuroparcel.errors import CheckpointError, OptionError
from neuroparcel.inference.stages import Schedule
from neuroparcel.pipeline.devices import device_for
from neuroparcel.pipeline.families import FAMILIES, saved_family
from neuroparcel.pipeline.options import FitOptions, InferOptions
from neuroparcel.pipeline.selection_options import SelectOptions


@pytest.mark.parametrize("name", FAMILIES)
def test_an_entry_names_what_there_is(name):
    family = FAMILIES[name]
    assert family.name == family.networks.name == name
    assert callable(family.train)
    assert device_for(name, "cpu").type == "cpu"
    if family.has_steps:
        own = family.schedule(None)
        assert isinstance(own, Schedule)
        assert family.schedule(2 * own.n_steps).n_steps == 2 * own.n_steps


@pytest.mark.parametrize("name", FAMILIES)
def test_steps_are_for_families_that_have_them(name):
    for more in ({"steps": 10}, {"time_budget": 60.0}):
        if FAMILIES[name].has_steps:
            assert FitOptions(data_dir="d", output="o", family=name, **more).family == name
        else:
            with pytest.raises(OptionError, match=f"--family {name} has no training steps"):
                FitOptions(data_dir="d", output="o", family=name, **more)


def test_refinement_takes_no_negative_steps():
    given = {"model": "m", "output": "o", "data_dir": "d"}
    assert InferOptions(**given).refine == 0
    with pytest.raises(OptionError, match="--refine is -1"):
        InferOptions(**given, refine=-1)


def test_unknown_families_are_refused():
    with pytest.raises(OptionError, match=r"--family is 'gibbs'.*adavi, mean-field, reference"):
        FitOptions(data_dir="d", output="o", family="gibbs")
    with pytest.raises(OptionError, match="--family is 'gibbs'"):
        SelectOptions(data_dir="d", output="o", family="gibbs")
    with pytest.raises(CheckpointError, match=r"learnt with the family 'gibbs'.*It has adavi"):
        saved_family("gibbs")
