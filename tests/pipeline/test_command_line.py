"""The command line in a report is read back as the options that the run had."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click
import pytest
from neuroparcel_cli.fit import fit
from neuroparcel_cli.infer import infer

from neuroparcel.errors import OptionError
from neuroparcel.pipeline.command_line import command_line
from neuroparcel.pipeline.options import FitOptions, InferOptions

COMMANDS: dict[str, tuple[click.Command, type[FitOptions] | type[InferOptions]]] = {
    "fit": (fit, FitOptions),
    "infer": (infer, InferOptions),
}
RUNS = {
    "defaults": FitOptions(output=Path("out"), subjects=Path("cohort.tsv")),
    "many": FitOptions(
        output=Path("out"),
        subjects=Path("a list & more.tsv"),
        data_dir=Path("HCP"),
        sessions="REST1,REST2",
        max_dead=0.25,
        roi="L_44,L_45",
        band_pass=(0.01, 0.08),
        detrend=True,
        confounds="simple",
        networks=7,
        variance=1.0,
        label_prior="vertex",
        smoothness="auto",
        calibrate=True,
        dead="reseed",
        time_budget=900.0,
        evidence="product",
        seed=3,
    ),
    "directions": FitOptions(
        output=Path("out"),
        data_dir=Path("bids"),
        features="maps",
        emission="von-mises-fisher",
        levels="population",
        family="reference",
        skip_bad=True,
    ),
    "infer": InferOptions(
        output=Path("out"), model=Path("results/model"), subjects=Path("new.tsv"), refine=100
    ),
}


def recorded(options: FitOptions | InferOptions, **inputs: object) -> dict[str, object]:
    """What ``run.json`` holds of the options, after a trip through JSON."""
    command = "fit" if isinstance(options, FitOptions) else "infer"
    kept = json.loads(json.dumps(options.fingerprint()))
    return {"command": command, "options": kept, "inputs": inputs}


@pytest.mark.parametrize("name", RUNS)
def test_it_is_read_back_as_the_same_options(name):
    options = RUNS[name]
    words = shlex.split(command_line(recorded(options), Path("/results of mine")))
    command, kind = COMMANDS[words[1]]
    with command.make_context(words[1], words[2:]) as context:
        given = {key: value for key, value in context.params.items() if key != "dry_run"}
    read = kind(**given)
    assert read.fingerprint() == options.fingerprint()
    assert read.output == Path("/results of mine-again")


def test_defaults_are_not_named():
    line = command_line(recorded(RUNS["defaults"]), Path("/out"))
    subjects = Path("cohort.tsv").resolve()
    assert line == f"neuroparcel fit --subjects {shlex.quote(str(subjects))} --output /out-again"


def test_a_store_that_gave_the_cohort_is_named():
    options = FitOptions(output=Path("out"), connectome=Path("store"))
    record = recorded(options, **{"/data/store": {"connectome": True}})
    assert command_line(record, Path("/out")) == (
        "neuroparcel fit --connectome /data/store --output /out-again"
    )


def test_options_of_another_version_are_kept():
    record = recorded(RUNS["defaults"])
    record["options"] |= {"later": 3, "gone": None, "off": False}
    assert "--later 3 " in command_line(record, Path("/out"))
    assert not {"--gone", "--off"} & set(command_line(record, Path("/out")).split())


def test_files_mean_the_same_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("earlier", "yeo17"):
        (tmp_path / name).mkdir()
    (tmp_path / "mine.dlabel.nii").write_bytes(b"")
    given = {"subjects": Path("cohort.tsv"), "output": Path("out")}
    found = FitOptions(reference="earlier", roi="mine.dlabel.nii:a,b", **given).fingerprint()
    assert found["reference"] == str(tmp_path / "earlier")
    assert found["roi"] == f"{tmp_path / 'mine.dlabel.nii'}:a,b"
    named = FitOptions(reference="yeo17", roi="L_44,L_45", targets="mmp", **given).fingerprint()
    assert (named["reference"], named["roi"], named["targets"]) == ("yeo17", "L_44,L_45", "mmp")


def test_a_match_without_a_reference_is_refused():
    with pytest.raises(OptionError, match="--match profiles matches nothing without a reference"):
        FitOptions(subjects=Path("a"), output=Path("b"), match="profiles")
