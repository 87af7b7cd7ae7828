"""Tables of recordings as people write them, and what is refused in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuroparcel.errors import LayoutError
from neuroparcel.io.layout import Recording, find_cohort
from neuroparcel.io.layout.hemispheres import expand_braces, split_hemisphere

PAIR = ("hemi-L_bold.func.gii", "hemi-R_bold.func.gii")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Files called a.nii, b.nii, c.nii, a pair of hemispheres, and what lies beside them."""
    for name in ("a.nii", "b.nii", "c.nii", *PAIR, "lh.x.mgh", "rh.x.mgh", "keep.txt", "conf.tsv"):
        (tmp_path / name).touch()
    return tmp_path


def table(folder: Path, text: str | bytes, name: str = "t.csv") -> Path:
    content = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(content)
    return folder / name


def test_every_column_is_read(folder):
    text = "subject,session,path,run,censor,confounds,mask\ns,1,a.nii,LR,keep.txt,conf.tsv,b.nii\n"
    (recording,) = find_cohort(table(folder, text)).recordings
    assert recording == Recording(
        "s",
        "1",
        "LR",
        (folder / "a.nii",),
        folder / "keep.txt",
        folder / "conf.tsv",
        folder / "b.nii",
    )


PLAIN = "subject,session,path\ns,1,a.nii\nt,1,b.nii\n"
SPELLINGS = {
    "BOM": b"\xef\xbb\xbf" + PLAIN.encode(),
    "CRLF": PLAIN.replace("\n", "\r\n"),
    "UTF-16, tabs": PLAIN.replace(",", "\t").encode("utf-16"),
    "semicolons": PLAIN.replace(",", ";"),
    "quotes": '"subject","session","path"\n"s","1","a.nii"\n"t","1","b.nii"\n',
    "blanks": "subject , session , path\ns, 1, a.nii\nt ,1 ,b.nii\n",
    "comments": "# mine\n\nsubject,session,path\n# none yet\ns,1,a.nii\nt,1,b.nii\n",
    "empty rows": PLAIN + ",,\n , ,\n",
    "no last line end": PLAIN.strip(),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings_of_one_table(folder, name):
    files = find_cohort(table(folder, SPELLINGS[name]))
    assert [(r.subject, r.session, r.path.name) for r in files.recordings] == [
        ("s", "1", "a.nii"),
        ("t", "1", "b.nii"),
    ]
    assert files.notes == ()


@pytest.mark.parametrize(
    "rows",
    [
        's,1,"hemi-{L,R}_bold.func.gii"',
        's,1,"hemi-{R,L}_bold.func.gii"',
        f"s,1,{PAIR[0]}\ns,1,{PAIR[1]}",
        f"s,1,{PAIR[1]}\ns,1,{PAIR[0]}",
    ],
)
def test_hemispheres_become_one_recording_left_first(folder, rows):
    files = find_cohort(table(folder, f"subject,session,path\n{rows}\n"))
    (recording,) = files.recordings
    assert [path.name for path in recording.paths] == list(PAIR)
    assert (recording.run, files.notes) == ("1", ())


def test_pairs_and_single_files_are_numbered_together(folder):
    text = "subject\tsession\tpath\ns\t1\trh.x.mgh\ns\t1\ta.nii\ns\t1\tlh.x.mgh\n"
    files = find_cohort(table(folder, text))
    assert [(r.run, [p.name for p in r.paths]) for r in files.recordings] == [
        ("1", ["lh.x.mgh", "rh.x.mgh"]),
        ("2", ["a.nii"]),
    ]


BAD = {
    "subject,session,path\ns,1,a.nii\nt,1,b.nii\ns,1,a.nii\n": (
        r"Lines 2 and 4 of .*t\.csv are the same: 's,1,a\.nii'",
        "Remove one",
    ),
    "Subject,Session,path\ns,1,a.nii\n": (
        "lacks the column subject, session",
        "Did you mean 'subject' by 'Subject', 'session' by 'Session'?",
    ),
    "participant_id,ses,file\ns,1,a.nii\n": (
        "lacks the column subject, session, path",
        "'subject' by 'participant_id', 'session' by 'ses', 'path' by 'file'?",
    ),
    "subject,session,path,Run\ns,1,a.nii,2\n": ("has a column 'Run'", "Did you mean 'run'"),
    "subject,session,path,run,run\ns,1,a.nii,2,3\n": ("has two columns 'run'", "Rename one"),
    "subject session path\ns 1 a.nii\n": ("not separated by tabs or commas", "Put a tab"),
    "subject,session,path\ns,1,a.nii\nt\t1\tb.nii\n": (
        r"Line 3 of .* has 1 cells, where the header has 3 \(separated by commas\)",
        "separated by tabs; use commas throughout",
    ),
    "subject,session,path\ns,1,hemi-{L,R}_bold.func.gii\n": ("Line 2 .* has 4 cells", "in quotes"),
    "subject,session,path\ns,1,a.nii,,\n": ("Line 2 .* has 5 cells", "a cell for each column"),
    "subject,session,path,censor\ns,1,a.nii,no.txt\n": (
        r"names a censor file that does not exist: .*no\.txt \(subject s",
        "Relative paths start",
    ),
    "subject,session,path\ns,1,gone.nii\n": (
        r"1 of 1 files that do not exist; the first is .*gone\.nii",
        "broken link",
    ),
    "subject,session,path,run\ns,1,a.nii,1\ns,1,b.nii,1\n": ("run 1 is listed 2 times", "once"),
    'subject,session,path\ns,1,"{a,a}.nii"\n': (
        "stands for both hemispheres",
        "left and the right",
    ),
}


@pytest.mark.parametrize("text", BAD)
def test_bad_tables(folder, text):
    (folder / "gone.nii").symlink_to(folder / "nowhere")
    message, tip = BAD[text]
    with pytest.raises(LayoutError, match=message) as caught:
        find_cohort(table(folder, text))
    assert tip in caught.value.tip
    assert "\n" not in str(caught.value)


def test_further_columns_are_noted(folder):
    text = "subject,session,path,age,confound\ns,1,a.nii,33,x\n"
    (note,) = find_cohort(table(folder, text)).notes
    assert note.endswith(
        "has further columns, which were not used: age, confound. Was 'confound' as 'confounds' "
        "meant?"
    )


def test_options_of_other_layouts_are_refused(folder):
    with pytest.raises(
        LayoutError, match=r"--task and --space can be chosen in BIDS .* is a table"
    ):
        find_cohort(table(folder, PLAIN), task="rest", space="fsLR")


def test_a_list_of_paths_is_no_list_of_subjects(folder):
    with pytest.raises(LayoutError, match=r"Line 2 of .* is a file.*a\.nii"):
        find_cohort(table(folder, f"# paths\n{folder / 'a.nii'}\n"), folder)


def test_text_with_nul_bytes_is_no_list(folder):
    with pytest.raises(LayoutError, match="not a text file"):
        find_cohort(table(folder, b"subject\0session"))


def test_a_variable_of_a_file_may_be_named(folder):
    (folder / "x.mat").touch()
    text = "subject,session,path\ns,1,x.mat:rest1\ns,2,x.mat:rest2\n"
    assert [r.path.name for r in find_cohort(table(folder, text)).recordings] == [
        "x.mat:rest1",
        "x.mat:rest2",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sub-1_hemi-L_bold.func.gii", ("L", "sub-1_hemi-*_bold.func.gii")),
        ("100307.R.func.gii", ("R", "100307.*.func.gii")),
        ("lh.subj1_bold.nii.gz", ("L", "*.subj1_bold.nii.gz")),
        ("subj1.rh.func.gii", ("R", "subj1.*.func.gii")),
        ("rfMRI_REST1_LR.dtseries.nii", (None, "rfMRI_REST1_LR.dtseries.nii")),
        ("sub-LH.nii", (None, "sub-LH.nii")),
    ],
)
def test_names_tell_hemispheres(name, expected):
    assert split_hemisphere(name) == expected


def test_braces_without_a_pair_stay():
    assert expand_braces("a{b}.nii") == ("a{b}.nii",)
    assert expand_braces("{lh,rh}.x") == ("lh.x", "rh.x")


def test_files_that_do_not_exist_can_be_left_to_the_reader(tmp_path):
    (tmp_path / "cohort.tsv").write_text("subject\tsession\tpath\na\t1\tnone.dtseries.nii\n")
    with pytest.raises(LayoutError, match="do not exist"):
        find_cohort(tmp_path / "cohort.tsv")
    (found,) = find_cohort(tmp_path / "cohort.tsv", lenient=True).recordings
    assert found.path == tmp_path / "none.dtseries.nii"
