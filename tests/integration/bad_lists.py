"""Lists, folders, options and outputs that cannot be used."""

from __future__ import annotations

from .bad_files import Folder
from .bad_inputs import Section

lists = Section("Lists and folders of recordings")
options = Section("Options and outputs")


@lists.case("a list that does not exist", names="nowhere.txt")
def _(at: Folder) -> list[str]:
    return at.fit(subjects="nowhere.txt")


@lists.case("an empty list", names="cohort.tsv")
def _(at: Folder) -> list[str]:
    at.text("cohort.tsv", "# nobody")
    return at.fit()


@lists.case("a list that is no text", names="cohort.tsv")
def _(at: Folder) -> list[str]:
    at.bytes("cohort.tsv", b"PK\x03\x04\xff\xfe\x00\x00")
    return at.fit()


@lists.case("a list whose permissions keep it from being read", names="cohort.tsv")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    at.lock("cohort.tsv")
    return at.fit()


@lists.case("subjects without the folder of their data", names="subjects.txt")
def _(at: Folder) -> list[str]:
    at.text("subjects.txt", "100206", "100307")
    return at.fit(subjects="subjects.txt")


@lists.case("a subject that is listed twice", names="subjects.txt")
def _(at: Folder) -> list[str]:
    at.text("subjects.txt", "100206", "100206")
    return at.fit("--data-dir", at.path, subjects="subjects.txt")


@lists.case("a plain list of files", names="good.npy")
def _(at: Folder) -> list[str]:
    at.text("subjects.txt", at.nodes())
    return at.fit("--data-dir", at.path, subjects="subjects.txt")


@lists.case("a data folder that does not exist", names="nowhere")
def _(at: Folder) -> list[str]:
    return at.fit("--data-dir", at / "nowhere", subjects=None)


@lists.case("a data folder of another kind", names="photos")
def _(at: Folder) -> list[str]:
    at.text("photos/beach.jpg", "sand")
    return at.fit("--data-dir", at / "photos", subjects=None)


@lists.case("a subject that the HCP folder lacks", names="100307")
def _(at: Folder) -> list[str]:
    at.hcp("100206")
    at.text("subjects.txt", "100206", "100307")
    return at.fit("--data-dir", at / "hcp", subjects="subjects.txt")


@lists.case("BIDS derivatives with several tasks, none of them chosen", names="--task")
def _(at: Folder) -> list[str]:
    at.text("bids/dataset_description.json", "{}")
    for task in ("rest", "faces"):
        at.text(f"bids/sub-1/func/sub-1_task-{task}_space-fsLR_den-91k_bold.dtseries.nii", "x")
    return at.fit("--data-dir", at / "bids", subjects=None)


@lists.case("a folder of CBIG's lists without a list", names="lists")
def _(at: Folder) -> list[str]:
    at.text("lists/readme.md", "empty")
    return at.fit(subjects="lists")


@lists.case("a table that lacks a column", names="cohort.tsv")
def _(at: Folder) -> list[str]:
    at.table("s1 1 good.npy", columns="subject session file")
    return at.fit()


@lists.case("a row with too few cells", names="cohort.tsv")
def _(at: Folder) -> list[str]:
    at.table(f"s1 {at.nodes()}")
    return at.fit()


@lists.case("a row without a session", names="cohort.tsv")
def _(at: Folder) -> list[str]:
    at.table(f"s1 - {at.nodes()}")
    return at.fit()


@lists.case("a row that stands there twice", names="cohort.tsv")
def _(at: Folder) -> list[str]:
    at.table(f"s1 1 {at.nodes()}", "s1 1 good.npy")
    return at.fit()


@lists.case("a file that stands for two recordings", names="good.npy")
def _(at: Folder) -> list[str]:
    at.table(f"s1 1 {at.nodes()}", "s2 1 good.npy")
    return at.fit()


@lists.case("two files for one run")
def _(at: Folder) -> list[str]:
    rows = (f"s1 1 {at.nodes('a.npy')} LR", f"s1 1 {at.nodes('b.npy')} LR")
    at.table(*rows, columns="subject session path run")
    return at.fit()


@lists.case("a file that does not exist", names="gone.npy")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes(), "gone.npy")
    return at.fit()


@lists.case("a link to content that has not been fetched", names="link.npy")
def _(at: Folder) -> list[str]:
    (at / "link.npy").symlink_to(".git/annex/objects/MD5E-s12.npy")
    at.listed(at.nodes(), "link.npy")
    return at.fit()


@lists.case("a confounds file that does not exist", names="gone.txt")
def _(at: Folder) -> list[str]:
    at.table(f"s1 1 {at.nodes()} gone.txt", columns="subject session path confounds")
    return at.fit()


@lists.case("a name that cannot become a file name", names="'a/b'")
def _(at: Folder) -> list[str]:
    at.table(f"a/b 1 {at.nodes()}")
    return at.fit()


@lists.case("two subjects that would share a file name", names="sub-12")
def _(at: Folder) -> list[str]:
    at.table(f"1-2 1 {at.nodes('a.npy')}", f"12 1 {at.nodes('b.npy')}")
    return at.fit()


@lists.case("a session that nobody has", names="REST9")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--sessions", "REST9")


@lists.case("a choice of tasks in a table", names="--task")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--task", "rest")


@lists.case("a column of an unknown name: it can be used", 0, done="s1", names="movement")
def _(at: Folder) -> list[str]:
    at.table(f"s1 1 {at.nodes()} x", columns="subject session path movement")
    return at.build()


@options.case("no recordings at all", names="--subjects")
def _(at: Folder) -> list[str]:
    return at.fit(subjects=None)


@options.case("a folder that holds something else", names="results")
def _(at: Folder) -> list[str]:
    at.text("results/thesis.tex", "years of work")
    at.listed(at.nodes())
    return at.fit()


@options.case("a file where the results shall go", names="results")
def _(at: Folder) -> list[str]:
    at.text("results", "years of work")
    at.listed(at.nodes())
    return at.fit()


@options.case("the table itself where inspect shall write its own", names="cohort.tsv")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return [*at.inspect(), "--output", str(at / "cohort.tsv")]


@options.case("a file where the store shall go", names="store")
def _(at: Folder) -> list[str]:
    at.text("store", "years of work")
    at.listed(at.nodes())
    return at.build()


@options.case("a single network")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--networks", 1)


@options.case("more networks than nodes")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--networks", 21)


@options.case("an unknown device", names="abacus")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--device", "abacus")


@options.case("no process to read with", names="--jobs")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.build("--jobs", 0)


@options.case("a share beyond 1", names="--max-dead")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.build("--max-dead", 10)


@options.case("an unknown scheduler", names="pbs")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.build("--scheduler", "pbs")


@options.case("levels in another order", names="subject, population")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--levels", "subject,population")


@options.case("a level that there is not", names="'family'")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--levels", "population,family")


@options.case("a negative smoothness", names="--smoothness")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--label-prior", "vertex", "--smoothness", "-1")


@options.case("a smoothness that is no number", names="'some'")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--label-prior", "vertex", "--smoothness", "some")


@options.case("smooth labels that do not know their vertex", names="--smoothness")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--smoothness", "auto")


@options.case("smooth labels of nodes, which lie nowhere", names="--smoothness")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--label-prior", "vertex", "--smoothness", "1")


@options.case("directions in log-ratios", names="von-mises-fisher")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--emission", "von-mises-fisher", "--link", "ilr")


@options.case("training steps of the reference", names="--family")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--family", "reference", "--steps", 10)
