"""Options reach the pipeline as given, with the defaults of the library."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from neuroparcel_cli.main import neuroparcel
from neuroparcel_cli.options import Duration

from neuroparcel.pipeline import DemoOptions, FitOptions, InferOptions

OPTIONS_OF = {"fit": FitOptions, "infer": InferOptions, "demo": DemoOptions}
FIT = ("fit", "--subjects", "list.txt", "--output", "out")


@pytest.mark.parametrize("name", OPTIONS_OF)
def test_the_command_line_offers_what_the_library_does(name):
    offered = {p.name for p in neuroparcel.commands[name].params if p.expose_value}
    offered -= {"dry_run"}  # asks for another function, not for another result
    assert offered == {field.name for field in fields(OPTIONS_OF[name])}


@pytest.mark.parametrize("name", OPTIONS_OF)
def test_defaults_are_those_of_the_library(invoke, asked, name):
    required = [f.name for f in fields(OPTIONS_OF[name]) if f.default is MISSING]
    invoke(name, *(word for option in required for word in (f"--{option}", option)))
    assert asked[name] == OPTIONS_OF[name](**{option: Path(option) for option in required})


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
    result = invoke("infer", *given, "--new-population", "--evidence", "product")
    assert result.stdout == "the summary of infer\n"
    assert asked["infer"] == InferOptions(
        model=Path("results/model"),
        subjects=Path("new.tsv"),
        output=Path("new"),
        new_population=True,
        evidence="product",
    )


@pytest.mark.parametrize(
    ("arguments", "planner"),
    [(FIT, "plan"), (("infer", "--model", "m", *FIT[1:]), "plan_inference")],
)
def test_a_dry_run_only_plans(invoke, asked, arguments, planner):
    assert invoke(*arguments, "--dry-run").stdout == f"the summary of {planner}\n"
    assert list(asked) == [planner]


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
