"""Options reach the pipeline as given, with the defaults of the library."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click
import pytest
from neuroparcel_cli.main import neuroparcel
from neuroparcel_cli.options import Band, Duration

from neuroparcel import pipeline
from neuroparcel.errors import OptionError
from neuroparcel.pipeline import (
    BuildOptions,
    DemoOptions,
    FitOptions,
    InferOptions,
    InspectOptions,
    SelectOptions,
)
from neuroparcel.pipeline.families import FAMILIES

from .conftest import Report

OPTIONS_OF = {
    "fit": FitOptions,
    "infer": InferOptions,
    "select": SelectOptions,
    "demo": DemoOptions,
    "connectome build": BuildOptions,
    "connectome inspect": InspectOptions,
}
BUILD = ("connectome", "build", "--subjects", "list.txt", "--output", "store")
FIT = ("fit", "--subjects", "list.txt", "--output", "out")


def command_of(name: str) -> click.Command:
    """The command, or the one of a group."""
    command: click.Command = neuroparcel
    for word in name.split():
        assert isinstance(command, click.Group)
        command = command.commands[word]
    return command


@pytest.mark.parametrize("name", OPTIONS_OF)
def test_the_command_line_offers_what_the_library_does(name):
    offered = {p.name for p in command_of(name).params if p.expose_value}
    offered -= {"dry_run"}  # asks for another function, not for another result
    assert offered == {field.name for field in fields(OPTIONS_OF[name])}


@pytest.mark.parametrize("name", OPTIONS_OF)
def test_defaults_are_those_of_the_library(invoke, asked, name):
    required = [f.name for f in fields(OPTIONS_OF[name]) if f.default is MISSING]
    given = {option: Path(option) for option in required}
    if name in (
        "fit",
        "infer",
        "select",
    ):  # one of three ways to name recordings, none of them required
        given["data_dir"] = Path("data")
    words = (word for option, path in given.items() for word in (_flag(option), path))
    invoke(*name.split(), *words)
    assert asked[name.split()[-1]] == OPTIONS_OF[name](**given)


def _flag(option: str) -> str:
    return f"--{option.replace('_', '-')}"


@pytest.mark.parametrize(
    "name", ["fit", "infer", "select", "connectome build", "connectome inspect"]
)
def test_options_of_the_library_are_given_by_name(name):
    with pytest.raises(TypeError, match="positional argument"):
        OPTIONS_OF[name](Path("list.txt"))


def test_fit_passes_its_options_on(invoke, asked):
    result = invoke(
        *FIT, "--roi", "L_44,L_45", "--networks", 3, "--time-budget", "2m", "--no-figures"
    )
    assert result.exit_code == 0
    assert result.stdout == "the summary of fit\n"
    assert asked["fit"] == FitOptions(
        subjects=Path("list.txt"),
        output=Path("out"),
        roi="L_44,L_45",
        networks=3,
        time_budget=120.0,
        figures=False,
    )


def test_infer_passes_its_options_on(invoke, asked):
    given = ("--model", "results/model", "--subjects", "new.tsv", "--output", "new")
    result = invoke("infer", *given, "--new-population", "--refine", 50, "--evidence", "product")
    assert result.stdout == "the summary of infer\n"
    assert asked["infer"] == InferOptions(
        model=Path("results/model"),
        subjects=Path("new.tsv"),
        output=Path("new"),
        new_population=True,
        refine=50,
        evidence="product",
    )


def test_select_passes_its_options_on(invoke, asked):
    words = ("--networks", "2:30:4", "--folds", 10, "--family", "adavi", "--jobs", 2)
    result = invoke("select", *FIT[1:], *words, "--no-figures")
    assert result.stdout == "the summary of select\n"
    assert asked["select"] == SelectOptions(
        subjects=Path("list.txt"),
        output=Path("out"),
        networks="2:30:4",
        folds=10,
        family="adavi",
        jobs=2,
        figures=False,
    )


def test_select_takes_the_options_of_a_fit_but_for_a_few():
    own, of_fit = ({p.name for p in command_of(name).params} for name in ("select", "fit"))
    assert own - of_fit == {"folds"}
    assert of_fit - own == {
        *("evidence", "time_budget", "resume", "gifti", "dead", "reference", "match")
    }


@pytest.mark.parametrize("name", ["fit", "select"])
def test_every_family_is_offered(name):
    (family,) = (p for p in command_of(name).params if p.name == "family")
    assert set(family.type.choices) == set(FAMILIES)


@pytest.mark.parametrize(
    ("arguments", "planner"),
    [
        (FIT, "plan"),
        (("infer", "--model", "m", *FIT[1:]), "plan_inference"),
        (("select", *FIT[1:]), "plan_select"),
    ],
)
def test_a_dry_run_only_plans(invoke, asked, arguments, planner):
    assert invoke(*arguments, "--dry-run").stdout == f"the summary of {planner}\n"
    assert list(asked) == [planner]


def test_build_passes_its_options_on(invoke, asked):
    result = invoke(
        *BUILD,
        *("--roi", "cortex", "--targets", "mmp", "--features", "fisher-z", "--dtype", "float16"),
        *("--z-score", "--band-pass", "0.01,0.08", "--confounds", "simple", "--censor"),
        *("--jobs", 8, "--scheduler", "dask:tcp://127.0.0.1:8786", "--only-listed"),
    )
    assert (result.exit_code, result.stdout) == (0, "the summary of build\n")
    assert asked["build"] == BuildOptions(
        subjects=Path("list.txt"),
        output=Path("store"),
        roi="cortex",
        targets="mmp",
        features="fisher-z",
        dtype="float16",
        z_score=True,
        band_pass=(0.01, 0.08),
        confounds="simple",
        censor=True,
        only_listed=True,
        jobs=8,
        scheduler="dask:tcp://127.0.0.1:8786",
    )


def test_inspect_looks_at_recordings_or_at_a_store(invoke, asked):
    invoke("connectome", "inspect", "--data-dir", "d", "--task", "rest", "--output", "found.tsv")
    assert asked["inspect"] == InspectOptions(
        data_dir=Path("d"), task="rest", output=Path("found.tsv")
    )
    invoke("connectome", "inspect", "store")
    assert asked["inspect"] == InspectOptions(store=Path("store"))


@pytest.mark.parametrize(
    ("name", "words"),
    [("inspect", ("store",)), ("build", BUILD[2:]), ("verify", ("store",))],
)
def test_what_was_done_in_part_exits_with_3(invoke, monkeypatch, name, words):
    for ok, code in ((True, 0), (False, 3)):
        monkeypatch.setattr(pipeline, name, lambda _, ok=ok: Report(name, ok))
        result = invoke("connectome", name, *words)
        assert (result.exit_code, result.stdout) == (code, f"the summary of {name}\n")


def test_build_prints_its_warnings_first(invoke, monkeypatch):
    monkeypatch.setattr(pipeline, "build", lambda _: Report("build", warnings=("a", "b")))
    lines = invoke(*BUILD).stdout.splitlines()
    assert lines == ["warning: a", "warning: b", "the summary of build"]


def test_export_names_what_it_wrote(invoke, monkeypatch):
    given: list[Any] = []

    def export(*arguments: Any) -> Path:
        given.extend(arguments)
        return Path("/there/all.npz")

    monkeypatch.setattr(pipeline, "export", export)
    words = ("connectome", "export", "store", "--output", "all.npz", "--format", "npz")
    assert invoke(*words).stdout == "written: /there/all.npz\n"
    assert given == [Path("store"), Path("all.npz"), "npz"]


@pytest.mark.parametrize("name", ["verify", "export"])
def test_a_store_must_be_named(invoke, name):
    result = invoke("connectome", name)
    assert result.exit_code == 2
    assert "Missing argument 'STORE'" in result.stderr


def test_a_file_gives_the_options_of_a_build(invoke, asked, tmp_path):
    config = tmp_path / "build.toml"
    config.write_text('roi = "cortex"\nband-pass = [0.01, inf]\ndetrend = true\n')
    assert invoke(*BUILD, "--config", config).exit_code == 0
    assert asked["build"].roi == "cortex"
    assert asked["build"].band_pass == (0.01, float("inf"))
    assert asked["build"].detrend is True


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": "zed"}, "--features is 'zed'"),
        ({"positive": "abs"}, "--positive is 'abs'"),
        ({"dtype": "float8"}, "--dtype is 'float8'"),
        ({"jobs": 0}, "--jobs is 0"),
        ({"max_dead": 2.0}, "--max-dead is 2.0"),
        ({"scheduler": "cloud"}, "Unknown scheduler 'cloud'"),
        ({"scheduler": "slurm:cpu=4"}, "cpu"),
    ],
)
def test_wrong_options_of_a_build_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        BuildOptions(output=Path("store"), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"link": "alr"}, "--link is 'alr'"),
        ({"link": "ilr", "features": "maps"}, "link ilr takes logarithms"),
        ({"link": "softmax-centered", "positive": "signed"}, "link softmax-centered takes"),
        ({"link": "direction", "scaling": "component"}, "link direction has no scales"),
    ],
)
def test_links_that_do_not_go_with_the_profiles_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        FitOptions(subjects=Path("list.txt"), output=Path("out"), **options)


def test_maps_are_signed_and_correlations_are_not():
    given = {"subjects": Path("list.txt"), "output": Path("out")}
    assert FitOptions(features="maps", link="identity", **given).how.signed
    assert not FitOptions(features="maps", positive="shift", link="ilr", **given).how.signed
    assert not FitOptions(emission="von-mises-fisher", **given).how.signed


@pytest.mark.parametrize(
    ("text", "band"),
    [("0.01,0.08", (0.01, 0.08)), ("0, .1", (0, 0.1)), ("0.008,inf", (0.008, float("inf")))],
)
def test_bands(text, band):
    assert Band().convert(text, None, None) == band


@pytest.mark.parametrize("text", ["", "0.1", "low,high", "0.1,0.2,0.3"])
def test_what_is_no_band(invoke, text):
    result = invoke(*FIT, f"--band-pass={text}")
    assert result.exit_code == 2
    assert f"{text!r} is not a band such as 0.01,0.08 (Hz)." in result.stderr


def test_demo_needs_no_option(invoke, asked):
    assert invoke("demo").stdout == "the summary of demo\n"
    assert asked["demo"] == DemoOptions()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), (" 3 M ", 180)]
)
def test_durations(text, seconds):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5", "3 days", "1h30"])
def test_what_is_no_duration(invoke, text):
    result = invoke(*FIT, f"--time-budget={text}")
    assert result.exit_code == 2
    assert f"{text!r} is not a duration such as 90s, 15m or 2h." in result.stderr


TOML = 'subjects = "list.txt"\noutput = "out"\nnetworks = 4\ntime-budget = "1m"\nfigures = false\n'
JSON = '{"subjects": "list.txt", "output": "out", "networks": 4, "time_budget": 60,\
 "figures": false, "data_dir": null}'


@pytest.mark.parametrize(("name", "text"), [("broca.toml", TOML), ("broca.json", JSON)])
def test_a_file_gives_options(invoke, asked, tmp_path, name, text):
    config = tmp_path / name
    config.write_text(text)
    assert invoke("fit", "--config", config).exit_code == 0
    assert asked["fit"] == FitOptions(
        subjects=Path("list.txt"), output=Path("out"), networks=4, time_budget=60.0, figures=False
    )


def test_the_command_line_wins_over_the_file(invoke, asked, tmp_path):
    config = tmp_path / "broca.toml"
    config.write_text(TOML)
    invoke("fit", "--networks", 5, "--config", config, "--figures")
    assert asked["fit"].networks == 5
    assert asked["fit"].figures is True
    assert asked["fit"].subjects == Path("list.txt")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.toml", "network = 4", "gives the unknown option 'network'"),
        ("c.toml", 'config = "d.toml"', "gives the unknown option 'config'"),
        ("c.toml", 'networks = "two"', "'two' is not a valid integer"),
        ("c.toml", 'link = "logit"', "'logit' is not one of 'ilr', 'softmax-centered'"),
        ("c.toml", "networks =", "is not valid TOML"),
        ("c.json", "{networks: 4}", "is not valid JSON"),
        ("c.json", "[4]", "should hold option names and their values"),
        ("c.yaml", "networks: 4", "is neither a .toml nor a .json file"),
    ],
)
def test_a_wrong_file_is_refused(invoke, asked, tmp_path, name, text, message):
    config = tmp_path / name
    config.write_text(text)
    result = invoke(*FIT, "--config", config)
    assert result.exit_code == 2
    assert message in result.stderr
    assert asked == {}


def test_a_missing_file_is_refused(invoke, tmp_path):
    result = invoke(*FIT, "--config", tmp_path / "none.toml")
    assert result.exit_code == 2
    assert "none.toml cannot be read: No such file or directory." in result.stderr
