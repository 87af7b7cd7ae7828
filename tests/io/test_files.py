from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import pytest

from neuroparcel.errors import CheckpointError, FileFormatError, OutputError, SpaceError
from neuroparcel.io.files import (
    atomic_path,
    parsing,
    read_arrays,
    read_json,
    write_arrays,
    write_json,
    write_text,
)


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    target = tmp_path / "new" / "maps.dscalar.nii"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.name.endswith(".dscalar.nii")
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = write_text(tmp_path / "labels.tsv", "old")
    with pytest.raises(error), atomic_path(target) as temporary:  # noqa: PT012
        temporary.write_text("hal")
        raise error
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_files_get_the_usual_permissions(tmp_path):
    (tmp_path / "plain").touch()
    written = write_text(tmp_path / "atomic", "")
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_json_takes_paths_and_numpy(tmp_path):
    content = {"path": Path("a/b"), "number": np.float32(0.5), "rows": np.arange(3)}
    written = write_json(tmp_path / "a.json", content)
    assert json.loads(written.read_text()) == {"path": "a/b", "number": 0.5, "rows": [0, 1, 2]}
    with pytest.raises(TypeError, match="object has no form in JSON"):
        write_json(tmp_path / "b.json", object())
    assert not (tmp_path / "b.json").exists()


def test_arrays_round_trip(tmp_path):
    arrays = {
        "float": np.random.default_rng(0).normal(size=(3, 4)).T,
        "int": np.arange(5),
        "bool": np.array([True, False]),
        "empty": np.zeros((0, 3), dtype=np.float32),
    }
    again = read_arrays(write_arrays(tmp_path / "arrays.safetensors", arrays))
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype
        np.testing.assert_array_equal(again[name], array)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileFormatError, match="does not exist"):
        read_arrays(tmp_path / "none.safetensors")
    with pytest.raises(FileFormatError, match="not a safetensors file"):
        read_arrays(write_text(tmp_path / "text.safetensors", "pickle"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "Expecting property name"),
        (b"\xff", "codec can't decode"),
        (b"[1]", "it is no JSON object"),
        (b"", "Expecting value"),
    ],
)
def test_damaged_json_is_named_with_a_tip(tmp_path, content, said):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(OutputError, match=rf"run\.json is damaged \(.*{said}") as raised:
        read_json(tmp_path / "run.json", "Run again.", OutputError)
    assert raised.value.tip == "Run again."
    assert "\n" not in raised.value.message
    with pytest.raises(FileFormatError, match=r"gone\.json cannot be read \(No such file"):
        read_json(tmp_path / "gone.json", "Run again.")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("link"), r"a\.json is damaged \(no 'link'\)\. Tip"),
        (TypeError("not\nthis"), r"a\.json is damaged \(not this\)\. Tip"),
        (AttributeError(), r"a\.json is damaged \(AttributeError\)\. Tip"),
        (SpaceError("3 rows.", "Count."), r"a\.json is damaged: 3 rows\. Tip"),
        (FileFormatError("b.json is short."), r"^b\.json is short\. Tip"),
        (FileFormatError("b.json is short.", "Mend."), r"^b\.json is short\. Mend\.$"),
        (CheckpointError("as it is"), "^as it is$"),
    ],
)
def test_what_goes_wrong_with_a_files_content_is_its_damage(error, said):
    with pytest.raises(CheckpointError, match=said), parsing("a.json", "Tip", CheckpointError):
        raise error


def test_bugs_and_interrupts_are_no_damage():
    with pytest.raises(ZeroDivisionError), parsing("a.json", "Tip"):
        raise ZeroDivisionError
