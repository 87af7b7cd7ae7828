"""Tables of participants as people write them, and what is refused in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuroparcel.errors import LayoutError, OptionError
from neuroparcel.io.participants import groups_of, read_participants

PLAIN = "participant_id\tage\tsex\nsub-02\t31\tF\nsub-01\t9\tn/a\n"


def write(folder: Path, text: str | bytes, name: str = "participants.tsv") -> Path:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder / name


SPELLINGS = {
    "BIDS": PLAIN,
    "BOM, CRLF": b"\xef\xbb\xbf" + PLAIN.replace("\n", "\r\n").encode(),
    "commas": PLAIN.replace("\t", ",") + ",,\n , ,\n",
    "semicolons": PLAIN.replace("\t", ";"),
    "quotes": 'participant_id,age,sex\n"sub-02","31","F"\n"sub-01","9",""\n',
    "no prefix": PLAIN.replace("sub-", ""),
    "HCP": PLAIN.replace("participant_id", "Subject").replace("sub-", "").replace("\t", ","),
    "another column first": "age\tsubject_id\tsubject\tsex\n31\t02\ty\tF\n9\t01\tx\tNaN\n",
    "BIDS beside another": "subject\tage\tparticipant_id\tsex\nx\t31\tsub-02\tF\ny\t9\tsub-01\t \n",
    "empty rows and cells": "\n" + PLAIN.replace("n/a", "") + "\t\t\n\n",
    "blanks, no last line end": PLAIN.replace("\t", " \t ").strip(),
    "commas in a table of tabs": "subject\tage\ta,b,c,d,e\tsex\n02\t31\tx,y\tF\n01\t9\tz\t\n",
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings_of_one_table(tmp_path, name):
    table = read_participants(write(tmp_path, SPELLINGS[name]))
    for subjects in (("01", "02"), ("sub-01", "sub-02")):
        assert table.values("age", subjects) == ("9", "31")
        assert table.values("sex", subjects) == (None, "F")
    assert table.values("sex", ["02"]) == ("F",)


@pytest.mark.parametrize("word", ["n/a", "N/A", "NA", "nan", "", " "])
def test_words_for_what_is_not_known(tmp_path, word):
    path = write(tmp_path, PLAIN.replace("n/a", word))
    assert read_participants(path).values("sex", ["01"]) == (None,)


BAD = {
    "": ("is empty.", "Give a table with a column participant_id"),
    "\n\n": ("is empty.", "Give a table"),
    "participant_id\tage\n": ("has no row.", "a row for each subject"),
    "name\tage\na\t3\n": (
        "has no column participant_id (it has name, age).",
        "Name the column of the subjects participant_id.",
    ),
    "participant_id\tage\tage\na\t3\t4\n": ("has two columns 'age'.", "Rename one."),
    "participant_id\tage\na\t3\n\nb\t4\nsub-a\t5\n": (
        "Lines 2 and 5 of {} are both of participant a.",
        "Give each participant one row.",
    ),
    "participant_id\tage\na\t3\nb\n": (
        "Line 3 of {} has 1 cells, where the header has 2.",
        "Give every row a cell for each column",
    ),
    "participant_id,age\na,3\nb,4,5\n": ("Line 3 of {} has 3 cells, where the header has 2.", ""),
    'participant_id,age\n"a,3\nb,4\n': ("Line 2 of {} has 1 cells", "Give every row"),
    "participant_id\tage\n\t3\n": ("Line 2 of {} has no participant_id.", "Fill it in"),
    "participant_id\tage\nsub-\t3\n": ("Line 2 of {} has no participant_id.", "Fill it in"),
    b"participant_id\tage\nJos\xe9\t3\n": ("is not text in UTF-8.", "Save it as UTF-8."),
    f"participant_id\tage\na\t{'3' * 200_000}\n": ("Line 2 of {} is no row of a table", ""),
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_bad_tables(tmp_path, text):
    message, tip = BAD[text]
    path = write(tmp_path, text)
    with pytest.raises(LayoutError) as caught:
        read_participants(path)
    assert message.format(path) in caught.value.message
    assert str(path) in caught.value.message
    assert tip in caught.value.tip
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(LayoutError, match=r"participants .*none\.tsv does not exist\."):
        read_participants(tmp_path / "none.tsv")
    with pytest.raises(LayoutError, match=r"participants .* cannot be read\."):
        read_participants(tmp_path)


def test_columns_that_there_are_not(tmp_path):
    table = read_participants(write(tmp_path, PLAIN))
    with pytest.raises(OptionError) as caught:
        table.values("Sex", ["01"])
    assert caught.value.message.endswith("has no column 'Sex' (it has participant_id, age, sex).")
    assert caught.value.tip == "Did you mean 'sex'?"
    with pytest.raises(OptionError, match="Name one of these"):
        table.values("handedness", ["01"])


def test_subjects_that_are_not_in_the_table(tmp_path):
    table = read_participants(write(tmp_path, PLAIN))
    with pytest.raises(LayoutError) as caught:
        table.values("sex", ["01", "03", "04", "sub-05", "6", "02"])
    assert caught.value.message == (
        f"{table.path} lacks 4 of the 6 subjects of the cohort (03, 04, sub-05, ...)."
    )
    assert "Add a row for each" in caught.value.tip


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["m", None, "f", "m"], {"f": [2], "m": [0, 3]}),
        (["10", "9", "9.5", "9"], {"9": [1, 3], "9.5": [2], "10": [0]}),
        (["old", "10", "2"], {"2": [2], "10": [1], "old": [0]}),
        ([None, None], {}),
    ],
)
def test_groups_are_in_order(values, expected):
    groups = groups_of(values)
    assert list(groups) == list(expected)
    assert {name: rows.tolist() for name, rows in groups.items()} == expected
