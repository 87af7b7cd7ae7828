"""The plain summaries: moments that can be checked by hand."""

import torch

from neuroparcel.nets.summaries import AnchoredMoments, Moments, Standardise


def test_moments_are_mean_log_rms_and_log_count():
    elements = torch.tensor([[[1.0, 10.0], [3.0, 10.0], [7.0, 7.0]]])
    mask = torch.tensor([[True, True, False]])
    summary = Moments(2, (1, 1))(elements, mask)[0]
    torch.testing.assert_close(summary[:2], torch.tensor([2.0, 10.0]))
    torch.testing.assert_close(summary[2], torch.tensor(2.0).log() / 2)
    torch.testing.assert_close(summary[-1], torch.tensor(2.0).log())


def test_what_is_undefined_is_nan_and_standardises_to_the_mean():
    elements = torch.randn(5, 4, 3)
    one = torch.zeros(5, 4, dtype=torch.bool)
    one[:, 0] = True
    summary = Moments(3, (3,))(elements, one)
    assert bool(summary[:, 3].isnan().all())
    standardise = Standardise(5)
    standardise.measure(summary)
    assert bool((standardise(summary)[:, 3] == 0).all())


def test_standardised_features_have_mean_zero_and_unit_variance():
    features = torch.randn(500, 3) * torch.tensor([1.0, 10.0, 0.0]) + 5
    standardise = Standardise(3)
    standardise.measure(features)
    torch.testing.assert_close(standardise(features).mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        standardise(features).var(0, correction=0), torch.tensor([1.0, 1, 0]), atol=1e-3, rtol=0
    )


def test_anchored_means_find_displaced_clusters_in_the_anchors_order():
    torch.manual_seed(0)
    anchors = torch.tensor([[-2.0, 0.0], [2.0, 0.0]])
    true = torch.tensor([[-1.0, 1.0], [3.0, 1.0]])
    label = torch.arange(400) % 2
    elements = true[label] + 0.3 * torch.randn(400, 2)
    mask = torch.ones(400, dtype=torch.bool)
    summary = AnchoredMoments(anchors, 0.3, 4, 1.0)
    found = summary(elements, mask)
    torch.testing.assert_close(found[:4].reshape(2, 2), true, atol=0.1, rtol=0)
    torch.testing.assert_close(found[4:6].exp(), torch.tensor([0.5, 0.5]), atol=0.01, rtol=0)
    torch.testing.assert_close(found[6:8].exp(), torch.tensor([0.3, 0.3]), atol=0.05, rtol=0)
    order = torch.randperm(400)
    torch.testing.assert_close(summary(elements[order], mask), found, atol=1e-4, rtol=1e-4)


def test_an_anchor_without_elements_stays_where_it_is():
    anchors = torch.tensor([[0.0, 0.0], [100.0, 100.0]])
    summary = AnchoredMoments(anchors, 1.0, 3, 1.0)
    found = summary(torch.randn(50, 2), torch.ones(50, dtype=torch.bool))
    torch.testing.assert_close(found[2:4], anchors[1])
