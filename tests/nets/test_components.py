"""Components one by one: where they lie in a summary, who asks, which elements are read."""

import torch

from neuroparcel.nets.attention import SetTransformer
from neuroparcel.nets.component_layout import ComponentLayout
from neuroparcel.nets.subsets import evenly_drawn
from neuroparcel.nets.summaries import AnchoredMoments, Moments, Standardise


def test_a_layout_finds_the_features_of_each_component():
    """Two clusters of known mean, share and spread, in two groups that differ in the first."""
    anchors = torch.tensor([[-9.0, 0.0, 0.0], [9.0, 0.0, 0.0]])
    offset = torch.tensor([[1.0, 1, 1], [-1, -1, -1]])
    first = anchors[0] + offset
    second = anchors[1].expand(6, 3)
    moved = first + torch.tensor([0.0, 0.5, 0.0])
    elements = torch.stack([torch.cat([first, second]), torch.cat([moved, second])])
    mask = torch.ones(2, 8, dtype=torch.bool)
    summary = AnchoredMoments(anchors, 0.5, 3, 1e-9)(elements, mask)
    layout = ComponentLayout.anchored(2, 3)
    means, scalars, shared = layout.split(summary)
    expected = torch.stack([anchors, anchors + torch.tensor([[0, 0.5, 0], [0, 0, 0.0]])])
    torch.testing.assert_close(means, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(scalars[..., 0].exp(), torch.tensor([[0.3, 0.7]] * 2))
    torch.testing.assert_close(scalars[:, 0, 1].exp(), torch.ones(2))
    # Pooled: 2 of 8 elements deviate by 1 in every coordinate.
    torch.testing.assert_close(shared, torch.tensor([[0.25**0.5, 8.0]] * 2).log())

    above = Moments(layout.n_outputs, (3, 3))(summary.unsqueeze(0), torch.ones(1, 2).bool())
    upper = layout.above()
    assert above.shape[-1] == upper.n_outputs
    means, scalars, shared = upper.split(above)
    torch.testing.assert_close(means[0], expected.mean(0), atol=1e-5, rtol=0)
    # Deviations of 0.25 in one of three coordinates: 2 * 0.25^2 / (2 - 1) / 3.
    spread = torch.tensor((2 * 0.25**2 / 3) ** 0.5)
    torch.testing.assert_close(scalars[0, 0, 2].exp(), spread, atol=1e-3, rtol=0)
    torch.testing.assert_close(shared[0, 2].exp(), torch.tensor(2.0))


def test_a_layout_names_every_place_once():
    layout = ComponentLayout.anchored(4, 3).above().above()
    places = torch.cat([layout.components.flatten(), layout.shared])
    assert torch.equal(places.sort().values, torch.arange(layout.n_outputs))
    assert torch.equal(layout.means, layout.components[:, :3].flatten())
    assert [len(s) for s in layout.scalars] == [4] * layout.n_scalars == [4] * 4


def test_pooled_features_have_one_law():
    features = torch.tensor([[0.0, 10.0, 5.0], [2.0, 12.0, 9.0]])
    standardise = Standardise(3, [torch.tensor([0, 2])], [torch.tensor([1])])
    standardise.measure(features)
    found = standardise(features)
    scale = torch.tensor((1 + 4) / 2).sqrt()
    torch.testing.assert_close(found[1], torch.tensor([1.0, 1.0 * scale, 2.0]) / scale)
    together = Standardise(2, (), [torch.tensor([0, 1])])
    together.measure(features[:, :2])
    torch.testing.assert_close(together.mean, torch.tensor([6.0, 6.0]))
    torch.testing.assert_close(together.scale, torch.tensor(26.0).sqrt().expand(2))


def test_standardising_can_be_undone_but_for_what_never_varied():
    features = torch.randn(50, 3)
    features[:, 2] = 4
    standardise = Standardise(3)
    standardise.measure(features)
    torch.testing.assert_close(standardise.inverse(standardise(features)), features)


def test_elements_are_drawn_at_equal_steps_through_the_observed():
    mask = torch.tensor([[1, 0, 1, 1, 0, 1, 1, 1, 1, 1], [0, 0, 1, 0, 0, 0, 0, 1, 0, 0]]).bool()
    elements = torch.arange(10.0).expand(2, 10).unsqueeze(-1)
    drawn, present = evenly_drawn(elements, mask, 4)
    assert drawn[0, :, 0].tolist() == [0.0, 3.0, 6.0, 8.0]
    assert drawn[1, :2, 0].tolist() == [2.0, 7.0]
    assert present.tolist() == [[True] * 4, [True, True, False, False]]
    dropped, _ = evenly_drawn(elements[:1, mask[0]], torch.ones(1, 8).bool(), 4)
    assert torch.equal(dropped, drawn[:1])


def test_small_sets_are_read_whole():
    elements, mask = torch.randn(2, 5, 3), torch.ones(2, 5).bool()
    drawn, present = evenly_drawn(elements, mask, 5)
    assert drawn is elements
    assert present is mask


def test_an_empty_set_has_nothing_to_draw():
    _, present = evenly_drawn(torch.randn(1, 9, 2), torch.zeros(1, 9).bool(), 4)
    assert not present.any()


def test_whoever_asks_beside_the_seed_changes_not_its_answer():
    torch.manual_seed(0)
    whole = SetTransformer(3, 8, 2, 1, 3).double()
    cut = SetTransformer(3, 8, 2, 1, 3, chunk_size=4).double()
    cut.load_state_dict(whole.state_dict())
    elements, mask = torch.randn(2, 6, 3).double(), torch.ones(2, 6).bool()
    mask[0, 4:] = False
    asking = torch.randn(5, 3).double()
    found = whole(elements, mask, asking).unflatten(-1, (6, 8))
    torch.testing.assert_close(found[:, 0], whole(elements, mask))
    torch.testing.assert_close(cut(elements, mask, asking).unflatten(-1, (6, 8)), found)
    order = torch.tensor([4, 2, 0, 1, 3])
    moved = whole(elements, mask, asking[order]).unflatten(-1, (6, 8))
    torch.testing.assert_close(moved[:, 1:], found[:, 1 + order])
    assert bool((found[:, 1:] - found[:, :1]).abs().amax((0, 2)).gt(1e-3).all())
