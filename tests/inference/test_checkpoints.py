"""Files of weights: equal after a round trip, refused if damaged or of another model."""

from __future__ import annotations

import functools
import hashlib
import json
import pickle
import warnings

import numpy as np
import pyro
import pytest
import torch
from pyro import distributions as dist
from safetensors import safe_open
from safetensors.torch import save_file
from torch.distributions import constraints

from neuroparcel.errors import CheckpointError, OutputError
from neuroparcel.families.adavi import Adavi, AdaviConfig
from neuroparcel.graph import analyse
from neuroparcel.graph.description import describe, differences, source_hash
from neuroparcel.graph.trace import seeded
from neuroparcel.inference import fit
from neuroparcel.inference.checkpoints import load_tensors, load_weights, save_tensors
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.inference.saved_posterior import load_posterior, save_posterior
from neuroparcel.inference.stages import Schedule, Stage
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.nets.flows import FlowConfig
from neuroparcel.nets.hierarchical_encoder import EncoderConfig
from neuroparcel.versions import versions

SMALL = AdaviConfig(EncoderConfig(size=8, n_heads=2, n_inducing=3), FlowConfig(hidden=8))
SPREAD = 0.2


def groups(points=None, n_groups=3, n_points=4):
    mean = pyro.sample("mean", dist.Normal(torch.zeros(2), 1.0).to_event(1))
    with pyro.plate("group", n_groups, dim=-2):
        group = pyro.sample("group_mean", dist.Normal(mean, SPREAD).to_event(1))
        with pyro.plate("point", n_points, dim=-1):
            pyro.sample("points", dist.Normal(group, 0.05).to_event(1), obs=points)


def wider_points(points=None, n_groups=3, n_points=4):
    mean = pyro.sample("mean", dist.Normal(torch.zeros(2), 1.0).to_event(1))
    with pyro.plate("group", n_groups, dim=-2):
        group = pyro.sample("group_mean", dist.Normal(mean, SPREAD).to_event(1))
        with pyro.plate("point", n_points, dim=-1):
            pyro.sample("points", dist.Normal(group, 0.06).to_event(1), obs=points)


def other_graph(points=None, n_points=4):
    spread = pyro.sample("spread", dist.Uniform(0.0, 2.0))
    mean = pyro.sample("mean", dist.Normal(torch.zeros(3), 1.0).to_event(1))
    with pyro.plate("group", 7, dim=-2):
        group = pyro.sample(
            "group_mean", dist.LogNormal(mean[..., :2], spread[..., None]).to_event(1)
        )
        with pyro.plate("point", n_points, dim=-1):
            pyro.sample("points", dist.Normal(group, 0.05).to_event(1), obs=points)


@pytest.fixture(scope="module")
def template():
    return analyse(groups)


@pytest.fixture(scope="module")
def posterior(template):
    schedule = Schedule(
        (
            Stage("scale", "map", 2, 1e-3, ("encoder", "shift")),
            Stage("posterior", "reverse-kl", 22, 1e-3, ("encoder", "shift", "scale", "flow")),
        )
    )
    with seeded(0):
        family = Adavi(template.graph, SMALL)
    return fit(template, family, schedule=schedule, device="cpu")


@pytest.fixture
def file(posterior, tmp_path):
    path = tmp_path / "posterior.safetensors"
    save_posterior(path, posterior)
    return path


TENSORS = {
    "matrix": torch.arange(6.0).reshape(2, 3),
    "scalar": torch.tensor(-1),
    "bits": torch.tensor([True, False]),
    "half": torch.tensor([0.5], dtype=torch.bfloat16),
    "none": torch.zeros(0, 4),
    "turned": torch.arange(6.0).reshape(2, 3).T,
}


def test_tensors_and_json_come_back_as_they_were(tmp_path):
    path, meta = tmp_path / "t.safetensors", {"a": [1, 2.5, None], "ü": "é", "n": float("inf")}
    save_tensors(path, TENSORS, meta)
    tensors, found = load_tensors(path)
    assert found == meta
    assert set(tensors) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert tensors[name].shape == tensor.shape
        assert torch.equal(tensors[name], tensor)


def test_any_one_byte_that_is_flipped_is_found(tmp_path):
    """Every byte of a small file, each flipped in one bit and in all."""
    path = tmp_path / "t.safetensors"
    save_tensors(path, {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor(3)}, {"key": "value"})
    content = path.read_bytes()
    assert len(content) < 600
    for place in range(len(content)):
        for flip in (1 << place % 8, 0xFF):
            changed = bytearray(content)
            changed[place] ^= flip
            path.write_bytes(changed)
            with pytest.raises(CheckpointError, match="damaged or changed since it was written"):
                load_tensors(path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_damaged(file, template, share):
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=r"damaged or changed.*Copy the file again"):
        load_posterior(file, template)


def rewritten(path, change):
    """The file with other tensors or metadata, and everything else as it was."""
    with safe_open(str(path), framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = dict(file.metadata())
    change(tensors, metadata)
    save_file(tensors, str(path), metadata=metadata)


def test_what_was_changed_in_a_valid_file_is_found(file, template):
    def nudge(tensors, metadata):
        next(iter(tensors.values())).view(-1)[0] += 1e-3

    def rename(tensors, metadata):
        tensors["other"] = tensors.pop(next(iter(tensors)))

    def reshape(tensors, metadata):
        name = next(name for name, tensor in tensors.items() if tensor.dim() == 2)
        tensors[name] = tensors[name].reshape(-1)

    def retype(tensors, metadata):
        name = next(name for name, tensor in tensors.items() if tensor.dtype == torch.float32)
        tensors[name] = tensors[name].view(torch.int32)

    def edit(tensors, metadata):
        metadata["json"] = metadata["json"].replace("scale", "shape")

    original = file.read_bytes()
    for change in (nudge, rename, reshape, retype, edit):
        file.write_bytes(original)
        rewritten(file, change)
        with pytest.raises(CheckpointError, match="does not match its digest"):
            load_posterior(file, template)
    file.write_bytes(original)
    rewritten(file, lambda tensors, metadata: metadata.pop("sha256"))
    with pytest.raises(CheckpointError, match=r"neuroparcel never wrote it \(it has no digest\)"):
        load_posterior(file, template)
    file.write_bytes(original)
    rewritten(file, lambda tensors, metadata: None)
    load_posterior(file, template)  # the order of its entries does not matter


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


def test_pickles_are_never_read(file, template):
    for content in (pickle.dumps(Bomb()), b"PK\x03\x04" + pickle.dumps(Bomb())):
        file.write_bytes(content)
        with pytest.raises(CheckpointError, match="damaged or changed"):
            load_posterior(file, template)
    torch.save({"weights": Bomb()}, file)
    with pytest.raises(CheckpointError, match="damaged or changed"):
        load_posterior(file, template)


def test_a_missing_file_and_another_file_are_told(tmp_path, template):
    with pytest.raises(CheckpointError, match="no saved model at"):
        load_posterior(tmp_path / "none.safetensors", template)
    path = tmp_path / "progress.safetensors"
    save_tensors(path, {"a": torch.ones(1)}, {"progress": {}})
    with pytest.raises(CheckpointError, match=r"holds no posterior.*save_posterior"):
        load_posterior(path, template)


def resaved(path, **changes):
    tensors, meta = load_tensors(path)
    save_tensors(path, tensors, {**meta, **changes})


def test_other_formats_and_families_are_told(file, template):
    resaved(file, format=99)
    with pytest.raises(CheckpointError, match=r"format 99; this version reads 1.*neuroparcel \d"):
        load_posterior(file, template)
    resaved(file, format=1, family={"name": "oracle", "settings": {}})
    with pytest.raises(CheckpointError, match=r"family 'oracle' that this version cannot build"):
        load_posterior(file, template)
    resaved(file, family={"name": "adavi", "settings": {"config": {}}})
    with pytest.raises(CheckpointError, match=r"family 'adavi' that this version cannot build"):
        load_posterior(file, template)


def test_a_loaded_posterior_gives_the_same_samples_bit_by_bit(file, posterior, template):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load_posterior(file, analyse(groups))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not loaded.family.training
    points = torch.randn(6, 5, 2, generator=torch.Generator().manual_seed(1))
    expected, found = (p(points).sample(20, seed=2) for p in (posterior, loaded))
    for name, value in expected.items():
        assert torch.equal(found[name], value)


def test_a_posterior_in_double_precision_stays_so(posterior, template, tmp_path):
    with seeded(0):
        family = Adavi(template.graph, SMALL).double()
    save_posterior(tmp_path / "d.safetensors", AmortizedPosterior(template, family.eval()))
    loaded = load_posterior(tmp_path / "d.safetensors", template)
    points = torch.ones(3, 4, 2, dtype=torch.double)
    expected = family.double()(loaded(points).data).point()
    for name, value in loaded(points).conditioned.point().items():
        assert value.dtype == torch.double
        assert torch.equal(value, expected[name])
    assert loaded.history is None


@pytest.mark.parametrize("name", ["mean-field", "auto-normal"])
def test_families_of_one_data_set_are_saved_too(name, template, tmp_path):
    points = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(1))
    schedule = Schedule((Stage("posterior", "reverse-kl", 3, 1e-2, ("factors",)),))
    fitted = fit(template, name, data=points, schedule=schedule, device="cpu")
    save_posterior(tmp_path / "f.safetensors", fitted)
    loaded = load_posterior(tmp_path / "f.safetensors", template)
    for site, value in fitted(points).sample(3).items():
        assert torch.equal(loaded(points).sample(3)[site], value)


def test_the_history_and_the_versions_are_kept(file, posterior, template):
    history = load_posterior(file, template).history
    assert (history.stage, history.objective) == (
        posterior.history.stage,
        posterior.history.objective,
    )
    for column in ("step", "loss", "validation_step", "validation_loss"):
        own = getattr(posterior.history, column)
        np.testing.assert_array_equal(getattr(history, column), own)
        assert getattr(history, column).dtype == own.dtype
    assert len(history.loss) == 24
    _, meta = load_tensors(file)
    assert meta["versions"] == versions()
    assert set(meta["versions"]) >= {"neuroparcel", "python", "torch", "pyro-ppl", "zuko"}
    assert meta["source_hash"] == source_hash(groups)
    json.dumps(meta, allow_nan=False)


def test_a_folder_is_no_file_to_save_to(posterior, tmp_path):
    with pytest.raises(OutputError, match=r"is a folder\. Name a file"):
        save_posterior(tmp_path, posterior)


def test_another_graph_is_refused_site_by_site(file):
    with pytest.raises(CheckpointError, match="trained for a model with another graph") as caught:
        load_posterior(file, analyse(other_graph))
    lines = {line.strip() for line in str(caught.value).splitlines()}
    assert lines >= {
        "plate 'group': size changed from whatever an argument says to 7",
        "site 'spread' was added",
        "site 'mean': event shape changed from (2) to (3)",
        "site 'group_mean': support changed from Real to GreaterThan(lower_bound=0)",
        "site 'group_mean': parents changed from mean to spread, mean",
    }


def test_another_source_is_loaded_with_a_warning(file, posterior):
    """The same graph, but points are said to spread by 0.06."""
    old, new = source_hash(groups)[:12], source_hash(wider_points)[:12]
    with pytest.warns(UserWarning, match=f"the graph fits.*source has changed.*{old} to {new}"):
        loaded = load_posterior(file, analyse(wider_points))
    for name, value in posterior.family.state_dict().items():
        assert torch.equal(loaded.family.state_dict()[name], value)


def test_a_changed_constant_is_a_changed_source(file, monkeypatch):
    monkeypatch.setitem(groups.__globals__, "SPREAD", 0.3)
    with pytest.warns(UserWarning, match="source has changed"):
        load_posterior(file, analyse(groups))


def test_a_source_that_cannot_be_known_is_told(file):
    with pytest.warns(UserWarning, match="source of the present model is not known"):
        load_posterior(file, analyse(typed_by_hand()))
    resaved(file, source_hash=None)
    with pytest.warns(UserWarning, match="source of the saved model is not known"):
        load_posterior(file, analyse(groups))


def typed_by_hand():
    """As in an interactive session: a function without a file."""
    place = {"pyro": pyro, "dist": dist, "torch": torch, "SPREAD": SPREAD}
    lines = (
        "def groups(points=None, n_groups=3, n_points=4):\n"
        "    mean = pyro.sample('mean', dist.Normal(torch.zeros(2), 1.0).to_event(1))\n"
        "    with pyro.plate('group', n_groups, dim=-2):\n"
        "        group = pyro.sample('group_mean', dist.Normal(mean, SPREAD).to_event(1))\n"
        "        with pyro.plate('point', n_points, dim=-1):\n"
        "            pyro.sample('points', dist.Normal(group, 0.05).to_event(1), obs=points)\n"
    )
    exec(compile(lines, "<typed by hand>", "exec"), place)
    return place["groups"]


def test_weights_of_other_shapes_or_types_are_refused(tmp_path):
    layer = torch.nn.Linear(2, 3)
    for tensors in (
        {"weight": torch.zeros(2, 3), "bias": torch.zeros(3)},
        {"weight": torch.zeros(3, 2).double(), "bias": torch.zeros(3)},
        {"weight": torch.zeros(3, 2), "bias": torch.zeros(3), "extra": torch.zeros(1)},
        {"weight": torch.zeros(3, 2)},
    ):
        with pytest.raises(CheckpointError, match=r"holds another model: \w+ differ"):
            load_weights(layer, tensors, tmp_path)


def test_descriptions_do_not_see_sizes_that_arguments_set():
    first = describe(analyse(groups).graph)
    second = describe(analyse(functools.partial(groups, n_groups=9)).graph)
    assert differences(first, second) == []
    assert differences(json.loads(json.dumps(first)), first) == []
    assert [site["observed"] for site in first["sites"]] == [False, False, True]


def test_descriptions_see_bounds_and_order():
    wide, narrow = (
        describe(analyse(MSHBM(torch.eye(2), 2, bounds)).graph) for bounds in ((-10, 8), (-5, 8))
    )
    assert differences(wide, narrow) == [
        f"site '{name}': support changed from Interval(lower_bound=-10, upper_bound=8) "
        "to Interval(lower_bound=-5, upper_bound=8)"
        for name in ("log_epsilon", "log_sigma", "log_kappa")
    ]
    own = describe(analyse(groups).graph)
    turned = {**own, "sites": [own["sites"][i] for i in (1, 0, 2)]}
    assert differences(own, turned) == [
        "the order of sites changed from mean, group_mean, points to group_mean, mean, points"
    ]
    fewer = {**own, "sites": own["sites"][1:]}
    assert differences(own, fewer) == ["site 'mean' was removed"]


class Groups:
    """A model as an object."""

    def __init__(self, scale):
        self.scale = scale

    def __call__(self, points=None, n_points=4):
        mean = pyro.sample("mean", dist.Normal(torch.zeros(2), SPREAD).to_event(1))
        with pyro.plate("point", n_points, dim=-1):
            pyro.sample("points", dist.Normal(mean, self.scale).to_event(1), obs=points)


PLAIN = """
def model(x=None, n=3):
    z = pyro.sample("z", dist.Normal(0.0, 1.0))
"""
DRESSED = '''
# A comment.
def model(x=None, n=3):
    """Documented."""

    z = pyro.sample(
        "z",  # explained
        dist.Normal(0.0, 1.0),
    )
'''


def hash_of(text, folder):
    """Hash of the function that a file of this text defines."""
    path = folder / f"{hashlib.md5(text.encode()).hexdigest()}.py"
    path.write_text(text)
    place = {}
    exec(compile(text, str(path), "exec"), place)
    return source_hash(place["model"])


def test_the_source_hash_sees_no_comments_docstrings_and_layout(tmp_path):
    plain = hash_of(PLAIN, tmp_path)
    assert len(plain) == 64
    assert hash_of(DRESSED, tmp_path) == plain
    for other in (PLAIN.replace("1.0", "1.1"), PLAIN.replace("n=3", "n=4"), "import math" + PLAIN):
        assert (hash_of(other, tmp_path) == plain) == other.startswith("import")


def test_the_source_hash_sees_arguments_objects_and_constants(monkeypatch):
    assert source_hash(groups) != source_hash(functools.partial(groups, n_points=5))
    first, again, other = (source_hash(Groups(torch.tensor(s))) for s in (1.0, 1.0, 2.0))
    assert first == again
    assert first != other
    assert source_hash(Groups(1.0).__call__) != source_hash(Groups(2.0).__call__)
    monkeypatch.setitem(groups.__globals__, "SPREAD", 0.3)
    assert source_hash(Groups(torch.tensor(1.0))) != first
    assert source_hash(len) is None


def test_supports_of_plates_tell_one_bound():
    """A bound that is repeated over a plate reads as one number, whatever the plate's size."""
    from neuroparcel.graph.description import _support

    few, many = (_support(constraints.greater_than(torch.full((n,), 0.1))) for n in (2, 9))
    assert few == many == "GreaterThan(lower_bound=0.1)"
    uneven = _support(constraints.greater_than(torch.tensor([0.0, 1.0])))
    assert "0" in uneven
    assert "1" in uneven
    assert uneven != few
