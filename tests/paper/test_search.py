"""The search for z: its gradient, its independence of batch and order, its starts, its trace."""

import numpy as np
import pytest
import tensorflow as tf

from anogan_lib import DCGAN, AnoGAN, datasets
from anogan_lib.datasets import places
from anogan_lib.paper import search
from anogan_lib.paper.networks import feature_extractor

READY = places.root() / "weights" / "hazelnut"
SHAPE = (16, 16, 1)


@pytest.fixture(scope="module")
def gan():
    """Random weights will do here: what is tested is the search, not the picture."""
    return DCGAN(SHAPE, latent_dim=6, width=8, seed=1)


@pytest.fixture(scope="module")
def detector(gan):
    return AnoGAN(gan, steps=20)


@pytest.fixture(scope="module")
def images(gan):
    rng = np.random.default_rng(0)
    return np.clip(gan.sample(9, seed=5) + 0.1 * rng.standard_normal((9, *SHAPE)), -1, 1).astype("float32")


def test_gradient_equals_finite_differences(detector, images):
    walk, weights = detector.search, tf.constant((0.7, 0.3))
    x = tf.constant(images[:3])
    feature_x = walk.features(x)
    z = tf.random.stateless_normal((3, 6), (1, 1))
    gradient = walk.gradient(x, feature_x, z, weights).numpy()
    for coordinate in range(6):
        step = 1e-2 * tf.one_hot(coordinate, 6)[None]
        up, down = (walk.loss(x, feature_x, z + s, weights).numpy() for s in (step, -step))
        np.testing.assert_allclose(gradient[:, coordinate], (up - down) / 2e-2, rtol=0.15, atol=0.2)


def test_the_papers_search_by_itself_finds_what_the_detector_finds(gan, detector, images):
    """`paper/` alone, all images in one batch, against the lanes, for the first steps: later, rounding grows."""
    alone = search.Search(gan.averaged, feature_extractor(gan.discriminator), gan.prior)
    pace = search.SHORT._replace(steps=5)
    for restarts in (1, 3):
        found = alone.invert(images, pace, restarts=restarts, record_every=2)
        ours = detector.invert(images, steps=5, restarts=restarts, trace=True, record_every=2)
        np.testing.assert_allclose(found.z, ours.z, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(found.scores(), ours.scores(), rtol=1e-4)
        np.testing.assert_allclose(found.trace.residual, ours.trace.residual, rtol=1e-4)


@pytest.mark.parametrize("score", ["paper", "best"])
@pytest.mark.parametrize("walk", [{}, {"step_size": 0.05, "steps": 60}, {"restarts": 3}])
def test_a_score_depends_on_neither_batch_nor_order(gan, images, score, walk):
    detector = AnoGAN(gan, score=score)
    detector.standardise(images)

    def scores(images, **options):
        return detector.invert(images, **walk, **options).scores()

    together, order = scores(images), np.random.default_rng(1).permutation(len(images))
    np.testing.assert_allclose(scores(images[order]), together[order], rtol=1e-4)
    np.testing.assert_allclose(np.concatenate([scores(images[i : i + 1]) for i in range(9)]), together, rtol=1e-4)
    for batch_size in (1, 2, 5, 100):
        np.testing.assert_allclose(scores(images, batch_size=batch_size), together, rtol=1e-4)


def test_the_ready_detectors_search_depends_on_neither_batch_nor_order():
    """Trained networks magnify what rounding leaves, over hundreds of large layers: they show it first."""
    detector = AnoGAN.load(READY)
    images = datasets.load("hazelnut").test[::16]
    options = {"init": "random", "steps": 30}
    together = detector.invert(images, **options).scores()
    backwards = detector.invert(images[::-1], **options, batch_size=3).scores()[::-1]
    alone = np.concatenate([detector.invert(images[i], **options).scores() for i in range(2)])
    np.testing.assert_allclose(backwards, together, rtol=1e-4)
    np.testing.assert_allclose(alone, together[:2], rtol=1e-4)


def test_few_steps_reach_what_the_papers_500_reach():
    """Within a hundredth in the mean: one image or another falls into another of L's local minima, either way."""
    detector, paper = AnoGAN(AnoGAN.load(READY).gan), {"step_size": search.PAPER.step_size}
    images, walks = datasets.load("hazelnut").test[::14], ({}, paper | {"steps": 500}, paper | {"steps": 100})
    few, many, slow = (detector.invert(images, **walk).scores().mean() for walk in walks)
    assert few < 1.01 * many < slow


def test_the_search_finds_images_the_generator_made(gan):
    made = gan.sample(6, seed=9)
    detector = AnoGAN(gan)
    start, found = detector.invert(made, steps=0), detector.invert(made, steps=300, restarts=3)
    assert (found.residual < 0.5 * start.residual).all()


def test_more_restarts_are_never_worse(detector, images):
    one, three = (detector.invert(images, restarts=n) for n in (1, 3))
    assert (three.scores() <= one.scores() + 1e-3).all()
    assert (three.scores() < one.scores() - 1e-3).any()


def test_starts_are_drawn_from_seed_and_restart(detector, images):
    first = detector.invert(images, steps=0)
    np.testing.assert_array_equal(first.z, np.repeat(first.z[:1], len(images), axis=0))
    np.testing.assert_array_equal(detector.invert(images[:1], steps=0).z, first.z[:1])
    assert not np.allclose(detector.invert(images[:1], steps=0, seed=7).z, first.z[:1])


def test_the_sphere_holds_the_search(detector, images):
    np.testing.assert_allclose(np.linalg.norm(detector.invert(images).z, axis=1), np.sqrt(6), rtol=1e-4)


def test_without_the_sphere_z_may_leave(images):
    free = AnoGAN(DCGAN(SHAPE, latent_dim=6, width=8, prior="normal", seed=1), steps=50)
    assert np.ptp(np.linalg.norm(free.invert(images).z, axis=1)) > 0.01


def test_trace_records_the_search(detector, images):
    found = detector.invert(images, steps=25, restarts=2, trace=True)
    trace = found.trace
    assert trace.steps.tolist() == [0, 10, 20, 25]
    assert trace.z.shape == (4, len(images), 6)
    np.testing.assert_allclose(trace.residual[-1], found.residual)
    np.testing.assert_allclose(trace.discrimination[-1], found.discrimination)
    assert trace.residual[-1].sum() < trace.residual[0].sum()
    every = detector.invert(images, steps=5, trace=True, record_every=1).trace
    assert every.steps.tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(detector.invert(images, steps=25, restarts=2).residual, found.residual, rtol=1e-4)


def test_what_is_found_is_what_the_formulas_say(detector, images):
    found = detector.invert(images)
    np.testing.assert_allclose(found.reconstruction, detector.generator(found.z), atol=1e-5)
    np.testing.assert_allclose(found.residual, np.abs(images - found.reconstruction).sum(axis=(1, 2, 3)), rtol=1e-4)
    f = [detector.features(each, training=False).numpy() for each in (images, found.reconstruction)]
    np.testing.assert_allclose(found.discrimination, np.abs(f[0] - f[1]).sum(axis=(1, 2, 3)), rtol=1e-3)
    np.testing.assert_allclose(
        found.scores(lam=0.3, score="paper"), 0.7 * found.residual + 0.3 * found.discrimination, rtol=1e-5
    )
    np.testing.assert_allclose(found.maps(signed=True), (images - found.reconstruction).mean(-1), atol=1e-5)


def test_datasets_are_searched_like_arrays(detector, images):
    dataset = tf.data.Dataset.from_tensor_slices((images, np.zeros(len(images), int))).batch(4)
    np.testing.assert_allclose(detector.invert(dataset).residual, detector.invert(images).residual, rtol=1e-4)


def test_one_graph_serves_every_call(gan, images, monkeypatch):
    detector, traced = AnoGAN(gan, steps=3), []
    for name in ("gradient", "losses"):
        function = getattr(search.Search, name)
        monkeypatch.setattr(search.Search, name, lambda *a, f=function, n=name: traced.append(n) or f(*a))
    for count, options in ((9, {}), (5, {"batch_size": 2}), (3, {"lam": 0.5}), (7, {"steps": 2, "step_size": 0.05})):
        detector.invert(images[:count], **options)
    assert traced.count("gradient") == 1
    assert traced.count("losses") == 2  # once in the step's graph, once in its own


def test_many_searches_bring_no_warning_of_retracing(gan, images, caplog):
    for _ in range(8):
        AnoGAN(gan, steps=1).invert(images[:2])
    assert "retracing" not in caplog.text


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"init": "encoder"}, "fit_encoder"),
        ({"init": "zero"}, "init is one of random, encoder"),
        ({"steps": -1}, "steps is a whole number from 0 to"),
        ({"trace": True, "record_every": 0}, "at least 1"),
        ({"lam": 2.0}, "lambda is a number from 0 to 1"),
        ({"score": "mean"}, "paper, standardised, f-anogan, best"),
        ({"restarts": 0}, "restarts is a whole number from 1 to"),
        ({"steps": 2.5}, "steps is a whole number"),
    ],
)
def test_bad_options_get_one_sentence(detector, images, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        detector.invert(images, **options)


def test_scores_need_spreads_where_they_are_standardised(detector, images):
    with pytest.raises(ValueError, match="standardise"):
        detector.invert(images).scores(score="standardised")
    assert detector.lam == 0.1
