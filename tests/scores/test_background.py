"""The background of normal images: the filter by its formula, the choice of v0 by its purpose."""

import numpy as np
import pytest

from anogan_lib import DCGAN, AnoGAN
from anogan_lib.datasets.base import as_split
from anogan_lib.evaluation import metrics
from anogan_lib.paper.networks import feature_extractor
from anogan_lib.scores import Local, background

SHAPE = (6, 5, 2)


def unit(values):
    return values / np.linalg.norm(values)


@pytest.fixture
def streak():
    """A direction of length 1, (6, 5, 2): the third row."""
    direction = np.zeros(SHAPE)
    direction[2] = 1
    return unit(direction)


@pytest.fixture
def differences(streak):
    """400 differences that vary along the streak with standard deviation 6, with 1 elsewhere, about a mean of 3."""
    rng = np.random.default_rng(0)
    return (3 + rng.standard_normal((400, *SHAPE)) + 6 * rng.standard_normal((400, 1, 1, 1)) * streak).astype("float32")


def test_a_component_keeps_v0_of_v0_and_v(differences, streak):
    known = background.Background.fit(differences)
    whole = differences.reshape(400, -1).var(axis=0).sum()
    for share in (0.5, 0.05):
        v, v0 = 6**2 + 1, share * whole
        found = known.with_share(share)(differences.mean(axis=0) + 10 * streak[None])
        assert np.vdot(found, streak) == pytest.approx(10 * v0 / (v0 + v), rel=0.1)
    assert len(known.with_share(0.5).directions) == 1, "directions that hardly lose anything are left out"


def test_what_lies_across_the_directions_stays(differences, streak):
    known = background.Background.fit(differences).with_share(0.2)
    spot = np.zeros(SHAPE)
    spot[4, 1] = 7
    np.testing.assert_allclose(known(differences.mean(axis=0) + spot[None])[0], spot, atol=0.5)
    np.testing.assert_allclose(np.mean(known(differences), axis=0), 0, atol=1e-3)
    before, after = (
        each.reshape(400, -1) @ streak.ravel() for each in (differences - 3, np.asarray(known(differences)))
    )
    assert after.std() < 0.5 * before.std()


def test_each_difference_is_filtered_by_itself(differences):
    known = background.Background.fit(differences).with_share(0.01)
    together = known(differences[:9])
    for i in range(9):
        np.testing.assert_allclose(known(differences[i : i + 1])[0], together[i], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("hidden", [True, False])
def test_v0_is_the_one_that_separates_best_and_small_where_the_background_hides_anomalies(differences, streak, hidden):
    normal, odd = differences[:200], differences[200:].copy()
    if hidden:
        odd[:, 5, 3] += 4  # a spot, beside a streak that is a lot stronger
    else:
        odd += (20 * streak).astype("float32")

    def measure(each):
        return np.abs(np.asarray(each)).max(axis=(1, 2, 3))

    labels = np.repeat([0, 1], 200)
    known = background.Background.fit(normal)
    chosen = known.choose_share(normal, odd, measure)
    assert chosen.share <= 0.1 or not hidden
    by_share = {
        share: metrics.auroc(labels, measure(known.with_share(share)(np.concatenate([normal, odd]))))
        for share in background.SHARES
    }
    assert by_share[chosen.share] == max(by_share.values())
    undamped = metrics.auroc(labels, measure(np.concatenate([normal, odd]) - normal.mean(axis=0)))
    assert not hidden or by_share[chosen.share] > undamped + 0.1


def test_patched_images_are_normal_but_for_a_patch(tiny_data):
    images = tiny_data.validation.images
    shown = background.patched(images, wanted=60)
    assert shown.shape[1:] == images.shape[1:] and 30 < len(shown) <= 60 + len(images)
    for each in shown:
        same = (images == each).mean(axis=(1, 2, 3)).max()
        assert 0.5 < same < 1
    np.testing.assert_array_equal(shown, background.patched(images, wanted=60))


def test_what_is_enough_shrinks_with_the_images():
    assert background.enough((4, 4, 1)) == 1000
    assert background.enough((4, 4, 1), (2**26 // 10,)) == 10


def test_a_detector_filters_the_background_also_once_it_is_loaded(tiny_detector, tiny_data, tmp_path):
    gan = AnoGAN.load(tiny_detector).gan
    detector = AnoGAN(gan, recipe="best").fit_encoder(tiny_data.train, epochs=2, verbose=False)
    detector.standardise(tiny_data.validation)
    found = detector.invert(tiny_data.test[:20])
    backgrounds = detector.scores["best"].backgrounds
    x, y = found.images, found.reconstruction
    features = [feature_extractor(gan.discriminator, layer) for layer in (1, 2)]  # all that such a small D has
    score = Local(blocks=2)
    differences = score.differences(x, y, *([f(each, training=False) for f in features] for each in (x, y)))
    assert backgrounds.keys() == set(score.needs) == set(differences)
    for name, known in backgrounds.items():
        expected = score.largest(name, known(differences[name]))
        np.testing.assert_allclose(found.losses[name], expected, rtol=1e-3)
        assert not np.allclose(found.losses[name], score.largest(name, differences[name]), rtol=1e-3)
    detector.save(tmp_path)
    loaded = AnoGAN.load(tmp_path)
    again = loaded.invert(tiny_data.test[:20])
    np.testing.assert_allclose(again.scores(), found.scores(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(loaded.maps(again), detector.maps(found), rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("flips", [False, True])
def test_mirror_images_are_background_too_where_training_shows_them(tiny_data, flips):
    gan = DCGAN(tiny_data.image_shape, latent_dim=4, width=4, flips=flips, seed=0)
    detector = AnoGAN(gan, recipe="best").fit_encoder(tiny_data.train, epochs=1, verbose=False)
    directions = detector.scores["best"].backgrounds["local_residual"].directions
    images = len(tiny_data.train) * (1 + flips)
    assert len(directions) == min(images - 1, np.prod(tiny_data.image_shape), background.MOST_DIRECTIONS)


@pytest.mark.parametrize(("count", "side", "expected"), [(18, 16, 36), (40, 16, 40), (280, 64, 560), (700, 64, 700)])
def test_few_images_are_doubled_by_their_mirror_images(count, side, expected):
    images = np.random.default_rng(0).uniform(-1, 1, (count, side, side, 1)).astype("float32")
    chosen = background.examples(as_split(images), [(None, side, side, 1)], flips=False)
    assert len(chosen) == expected
    np.testing.assert_array_equal(chosen[:count], images)
    np.testing.assert_array_equal(chosen[count:], images[: expected - count, :, ::-1])


def test_images_without_contrast_have_no_patch_to_show(tiny_detector):
    gan = AnoGAN.load(tiny_detector).gan
    black = np.full((8, *gan.image_shape), -1, "float32")
    assert background.patched(black).shape == (0, *gan.image_shape)
    detector = AnoGAN(gan, recipe="best").fit_encoder(black, epochs=1, verbose=False).standardise(black)
    assert np.isfinite(detector.invert(black).scores()).all()
