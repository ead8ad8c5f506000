"""What holds of thresholds, figures and regions for any scores, labels and maps (hypothesis)."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from anogan_lib.evaluation import metrics, regions, thresholds

numbers = st.floats(-1e100, 1e100, allow_subnormal=False)
whole = st.integers(-5, 5).map(float)  # with many ties
scores = st.one_of(st.lists(numbers, min_size=1, max_size=60), st.lists(whole, min_size=1, max_size=60))
rates = st.one_of(st.floats(0.001, 0.999), st.integers(1, 99).map(lambda n: n / 100))


@given(scores, rates, scores)
def test_a_threshold_is_granted_or_refused_by_the_number_of_images(calibration, rate, new):
    n = len(calibration)
    if not 1 / (n + 1) <= rate:
        with pytest.raises(ValueError, match="cannot promise"):
            thresholds.conformal(calibration, rate)
        return
    threshold = thresholds.conformal(calibration, rate)
    assert threshold.value in calibration
    assert np.sum(np.asarray(calibration) > threshold) + 1 <= rate * (n + 1) + 1e-9
    p = thresholds.p_values(calibration, [*new, *calibration])
    assert np.array_equal(threshold.verdicts([*new, *calibration]), p <= rate)
    assert ((p > 0) & (p <= 1)).all()


@given(scores, rates, rates, st.randoms())
def test_a_threshold_follows_the_rate_and_the_unit_and_no_order(calibration, rate, other, random):
    low, high = sorted((rate, other))
    assume(1 / (len(calibration) + 1) <= low)
    threshold = thresholds.conformal(calibration, low)
    assert thresholds.conformal(calibration, high) <= threshold
    assert thresholds.conformal(4 * np.asarray(calibration), low) == 4 * threshold
    random.shuffle(calibration)
    assert thresholds.conformal(calibration, low) == threshold


@given(scores, scores)
def test_a_higher_score_has_no_higher_p_value(calibration, new):
    p = thresholds.p_values(calibration, np.sort(new))
    assert (np.diff(p) <= 0).all()


labelled = st.lists(st.tuples(st.one_of(numbers, whole), st.integers(0, 1)), min_size=2, max_size=60).filter(
    lambda pairs: len({label for _, label in pairs}) == 2
)


@given(labelled)
def test_figures_depend_on_the_order_of_scores_alone(pairs):
    values, labels = map(np.array, zip(*pairs, strict=True))
    _, ranks = np.unique(values, return_inverse=True)
    for figure in (metrics.auroc, metrics.average_precision):
        assert 0 <= figure(labels, values) <= 1
        assert figure(labels, values) == pytest.approx(figure(labels, ranks))
    assert metrics.auroc(1 - labels, values) == pytest.approx(1 - metrics.auroc(labels, values))
    assert metrics.auroc(labels, -values) == pytest.approx(1 - metrics.auroc(labels, values))


@given(labelled)
def test_no_other_threshold_costs_less(pairs):
    values, labels = map(np.array, zip(*pairs, strict=True))

    def cost(cut):
        called = values > cut
        return 7 * np.sum(called[labels == 0]) + 5 * np.sum(~called[labels == 1])

    normal = np.mean(labels == 0)
    best = cost(thresholds.least_cost(values, labels, 5 * (1 - normal), 7 * normal, 0.5))
    assert all(best <= cost(other) for other in [-np.inf, *values])


maps = hnp.arrays(float, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 4).map(float))


@given(maps, st.integers(-1, 4), st.integers(1, 4))
def test_regions_are_the_pixels_above_the_threshold_and_no_others(map, threshold, least):
    found = regions.regions(map, threshold)
    covered = np.sum(found, axis=0) if found else np.zeros(map.shape)
    assert np.array_equal(covered, map > threshold)  # each pixel once
    for mask in found:
        _, counts = np.unique(regions.outline(mask).reshape(-1, 2), axis=0, return_counts=True)
        assert (counts % 2 == 0).all()  # an outline is closed
    assert len(regions.regions(map, threshold, least)) == sum(mask.sum() >= least for mask in found)
    assert len(regions.regions(map[:, ::-1].T, threshold)) == len(found)
