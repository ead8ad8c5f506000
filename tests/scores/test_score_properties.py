"""What holds of scores and maps for any images (hypothesis)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from anogan_lib import scores
from anogan_lib.paper import score as paper

shapes = st.tuples(st.integers(1, 4), st.integers(4, 9), st.integers(4, 9), st.sampled_from([1, 3]))
pixels = st.integers(-255, 255).map(lambda value: value / 255)  # no differences so small that they are rounded to 0


@st.composite
def pairs(draw):
    """Images and their reconstructions, (N, H, W, C) each."""
    shape = draw(shapes)
    return tuple(draw(hnp.arrays(np.float32, shape, elements=pixels)) for _ in "xy")


@given(pairs())
@settings(max_examples=40)
def test_r_is_the_sum_of_its_map_and_0_for_the_same_image_alone(pair):
    x, y = pair
    r, maps = np.asarray(paper.residual_loss(x, y)), np.asarray(paper.residual_map(x, y))
    assert r.shape == x.shape[:1] and maps.shape == x.shape[:3]
    np.testing.assert_allclose(r, maps.sum(axis=(1, 2)) * x.shape[3], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(r, paper.residual_loss(y, x))
    assert (maps >= 0).all() and np.array_equal(maps > 0, (x != y).any(axis=3))
    signed = np.asarray(paper.residual_map(x, y, signed=True))
    assert (np.abs(signed) <= maps + 1e-6).all()


@given(st.lists(st.tuples(*[st.floats(0, 1e6)] * 2), min_size=1, max_size=9), st.floats(0, 1))
def test_a_lies_between_r_and_d(losses, lam):
    r, d = np.array(losses).T
    a = paper.anomaly_score(r, d, lam)
    assert (a >= np.minimum(r, d) - 1e-6 * (1 + r + d)).all() and (a <= np.maximum(r, d) + 1e-6 * (1 + r + d)).all()


@pytest.mark.parametrize("name", scores.NAMES)
@given(pairs(), st.integers(0, 3))
@settings(max_examples=15)
def test_an_image_has_its_score_and_map_whatever_stands_beside_it(name, pair, place):
    x, y = pair
    place %= len(x)
    score, rest = scores.CLASSES[name](), [[x, 2 * x], [y, 2 * y]]
    alone = [each[place : place + 1] for each in pair]
    maps = np.asarray(score.maps(x, y))
    assert maps.shape == x.shape[:3] and np.isfinite(maps).all() and (maps >= 0).all()
    np.testing.assert_allclose(score.maps(*alone)[0], maps[place], rtol=1e-4, atol=1e-5)
    losses = score.losses(x, y, *rest)
    again = score.losses(*alone, *([part[place : place + 1] for part in layers] for layers in rest))
    for loss, values in losses.items():
        assert values.shape == x.shape[:1] and np.isfinite(values).all()
        np.testing.assert_allclose(again[loss][0], values[place], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", scores.NAMES)
@given(pairs())
@settings(max_examples=15)
def test_the_map_of_a_mirrored_image_is_the_mirrored_map(name, pair):
    x, y = pair
    score = scores.CLASSES[name]()
    mirrored = score.maps(x[:, :, ::-1], y[:, :, ::-1])
    np.testing.assert_allclose(np.asarray(mirrored)[:, :, ::-1], score.maps(x, y), rtol=1e-3, atol=1e-4)


@given(st.lists(st.tuples(*[st.floats(0, 1e6)] * 2), min_size=2, max_size=30), st.floats(0.1, 100), st.floats(0, 1))
def test_a_standardised_score_does_not_know_the_units_of_its_losses(losses, factor, lam):
    r, d = np.array(losses).T
    found = []
    for unit in (1.0, factor):
        score = scores.Standardised()
        values = {"residual": unit * (r + 1.0), "discrimination": d}
        if min(each.std() for each in values.values()) < 1e-3:
            return  # a spread of nothing
        score.learn(values)
        found.append(score.combine(values, lam))
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-5)
