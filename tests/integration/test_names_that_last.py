"""Networks keep their names and colours from fit to fit: the command line."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner
from neuroparcel_cli.main import neuroparcel
from sklearn.metrics import adjusted_rand_score

from neuroparcel.brain.atlas import Label
from neuroparcel.io.writers import read_parcellations
from neuroparcel.io.writers.cifti_writer import write_dlabel, write_dscalar

from .test_labels_end_to_end import Cohort, record, run

COLOURS = {"Behind": (0.2, 0.4, 0.6, 1.0), "Before": (0.8, 0.6, 0.0, 1.0)}
HOW = ("--features", "maps", "--family", "reference", "--levels", "population")
SILENT = ("--networks", "2", "--no-figures", "--quiet")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return Cohort(tmp_path_factory.mktemp("names"), noise=0.4)


@pytest.fixture(scope="module")
def table(cohort):
    return cohort.listed("all.tsv", range(2), 1)


@pytest.fixture(scope="module")
def first(cohort, table):
    """A fit that is named after a label file, whose first label is the cohort's second network."""
    labels = [Label(key, name, rgba) for key, (name, rgba) in enumerate(COLOURS.items(), 1)]
    file = cohort.folder / "mine.dlabel.nii"
    write_dlabel(file, cohort.axis, {"mine": 2 - cohort.truth(1)}, labels)
    output = cohort.folder / "first"
    run("fit", "--subjects", table, "--output", output, *HOW, *SILENT, "--reference", file)
    return output


def named(cohort, folder):
    """Agreement with the truth of the map of the network called Behind, and its colour."""
    found = read_parcellations(folder)
    number = found.networks.index("Behind")
    map_of_it = found.population.argmax(-1) == number
    return adjusted_rand_score(map_of_it, cohort.truth(1)), map_of_it, found.colours[number]


def test_networks_are_named_after_a_label_file(cohort, first):
    agreement, behind, colour = named(cohort, first)
    assert agreement > 0.8
    assert behind[cohort.truth(1) == 1].mean() > 0.9
    assert colour == pytest.approx(COLOURS["Behind"], abs=1e-6)
    identity = record(first)["identity"]
    assert identity["match"] == "overlap"
    assert min(identity["scores"]) > 0.8
    dlabel = nib.load(next(first.glob("*_dseg.dlabel.nii")))
    table = dict(dlabel.header.get_axis(0).label[0].values())
    assert table["Before"] == pytest.approx(COLOURS["Before"], abs=1e-6)


def test_a_later_fit_takes_names_and_colours_over(cohort, table, first):
    output = cohort.folder / "later"
    given = ("--reference", first, "--match", "profiles", "--seed", "5")
    printed = run("fit", "--subjects", table, "--output", output, *HOW, *SILENT, *given)
    assert f"2 of 2 networks are named after {first} (correlations 1.00 to 1.00)" in printed
    agreement, behind, colour = named(cohort, output)
    assert agreement > 0.8
    assert behind[cohort.truth(1) == 1].mean() > 0.9
    assert colour == pytest.approx(COLOURS["Behind"], abs=1e-6)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (("yeo18",), "Error: --reference yeo18: Unknown atlas 'yeo18'."),
        (("yeo17", "--match", "profiles"), "Error: --match profiles: yeo17 is an atlas, whose"),
    ],
)
def test_a_reference_that_cannot_be_is_refused_before_anything_is_read(
    cohort, table, reference, message
):
    output = cohort.folder / "never"
    given = ["fit", "--subjects", str(table), "--output", str(output), *HOW, *SILENT]
    result = CliRunner().invoke(neuroparcel, [*given, "--reference", *reference])
    assert result.exit_code == 2
    assert message in result.output
    assert not output.exists()


def test_profiles_over_other_targets_do_not_match(cohort, first):
    path = cohort.folder / "other.dscalar.nii"
    maps = np.random.default_rng(0).normal(size=(4, len(cohort.axis)))
    write_dscalar(path, cohort.axis, {f"other {n}": one for n, one in enumerate(maps)})
    other = cohort.folder / "other.tsv"
    other.write_text(f"subject\tsession\tpath\n1\t1\t{path.name}\n", encoding="utf-8")
    output = str(cohort.folder / "never")
    given = ["fit", "--subjects", str(other), "--output", output, *HOW, *SILENT]
    result = CliRunner().invoke(
        neuroparcel, [*given, "--reference", str(first), "--match", "profiles"]
    )
    assert result.exit_code == 2
    message = "are profiles over other targets (6, such as contrast 0) than this fit's (4, such as"
    assert message in result.output
