"""What is usual on normal images: the filter by its formula, the choice of v0 by what it is for."""

import numpy as np
import pytest
import tensorflow as tf

from anogan_lib import AnoGAN, metrics, scoring, usual
from anogan_lib.datasets.base import Split, drawn
from anogan_lib.networks import feature_extractor

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
    known = usual.Usual.of(differences)
    whole = differences.reshape(400, -1).var(axis=0).sum()
    for share in (0.5, 0.05):
        v, v0 = 6**2 + 1, share * whole
        found = known.at(share)(differences.mean(axis=0) + 10 * streak[None])
        assert np.vdot(found, streak) == pytest.approx(10 * v0 / (v0 + v), rel=0.1)
    assert len(known.at(0.5).directions) == 1, "directions that hardly lose anything are left out"


def test_what_lies_across_the_usual_directions_stays(differences, streak):
    known = usual.Usual.of(differences).at(0.2)
    spot = np.zeros(SHAPE)
    spot[4, 1] = 7
    np.testing.assert_allclose(known(differences.mean(axis=0) + spot[None])[0], spot, atol=0.5)
    np.testing.assert_allclose(known(differences).mean(axis=0), 0, atol=1e-3)
    before, after = (each.reshape(400, -1) @ streak.ravel() for each in (differences - 3, known(differences)))
    assert after.std() < 0.5 * before.std()


def test_each_difference_is_filtered_by_itself(differences):
    known = usual.Usual.of(differences).at(0.01)
    together = known(differences[:9])
    for i in range(9):
        np.testing.assert_allclose(known(differences[i : i + 1])[0], together[i], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("hidden", [True, False])
def test_v0_is_small_where_the_usual_hides_anomalies_and_large_where_they_lie_along_it(differences, streak, hidden):
    normal, odd = differences[:200], differences[200:].copy()
    if hidden:
        odd[:, 5, 3] += 4  # a spot, beside a streak that is a lot stronger
    else:
        odd += (20 * streak).astype("float32")

    def measure(each):
        return np.abs(each).max(axis=(1, 2, 3))

    labels = np.repeat([0, 1], 200)
    known = usual.Usual.of(normal)
    chosen = usual.choose(known, normal, odd, measure)
    assert chosen.share <= 0.1 if hidden else chosen.share >= 0.3
    by_share = {
        share: metrics.auroc(labels, measure(known.at(share)(np.concatenate([normal, odd])))) for share in usual.SHARES
    }
    assert by_share[chosen.share] == max(by_share.values())
    undamped = metrics.auroc(labels, measure(np.concatenate([normal, odd]) - normal.mean(axis=0)))
    assert not hidden or by_share[chosen.share] > undamped + 0.1


def test_patched_images_are_normal_but_for_a_patch(tiny_data):
    images = tiny_data.validation.images
    shown = usual.patched(images, wanted=60)
    assert shown.shape[1:] == images.shape[1:] and 30 < len(shown) <= 60 + len(images)
    for each in shown:
        same = (images == each).mean(axis=(1, 2, 3)).max()
        assert 0.5 < same < 1
    np.testing.assert_array_equal(shown, usual.patched(images, wanted=60))


def test_no_more_images_are_held_than_are_enough(tiny_data, monkeypatch):
    images = tiny_data.train.images[:60]
    known = {"pixels": usual.Usual.of(tiny_data.train.images)}
    looked_at = []

    def differences(some):
        looked_at.append(some)
        return {"pixels": some}

    def total(each):
        return np.square(each).sum(axis=(1, 2, 3))

    chosen = usual.chosen(known, images, differences, total, wanted=60)["pixels"]
    np.testing.assert_array_equal(looked_at[0], images)
    assert 20 < len(looked_at[1]) <= 60
    assert chosen.share == usual.choose(known["pixels"], images, usual.patched(images, wanted=60), total).share
    monkeypatch.setattr(usual, "MOST_NUMBERS", 20 * images[0].size)
    usual.chosen(known, images, differences, total, wanted=60)
    assert len(looked_at[2]) == 20 and 0 < len(looked_at[3]) <= 20


def test_a_detector_looks_past_what_is_usual_also_once_it_is_loaded(tiny_detector, tiny_data, tmp_path):
    gan = AnoGAN.load(tiny_detector).gan
    detector = AnoGAN(gan).fit_encoder(tiny_data.train, epochs=2, verbose=False)
    detector.standardise(tiny_data.validation)
    found = detector.invert(tiny_data.test[:20])
    assert found.usual is detector.usual and detector.usual.keys() == set(scoring.LOSSES["best"])
    blocks_of = detector.search.blocks_of
    x, y = found.images, found.reconstruction
    for layer, block in zip((1, -1), blocks_of(x), strict=True):
        np.testing.assert_allclose(block, feature_extractor(gan.discriminator, layer)(x), rtol=1e-3, atol=1e-4)
    differences = scoring.local_differences(x, y, blocks_of(x), blocks_of(y))
    for name, known in detector.usual.items():
        expected = scoring.most_different(known(differences[name]))
        np.testing.assert_allclose(found.losses[name], expected, rtol=1e-3)
        assert not np.allclose(found.losses[name], scoring.most_different(differences[name]), rtol=1e-3)
    detector.save(tmp_path)
    again = AnoGAN.load(tmp_path).invert(tiny_data.test[:20])
    np.testing.assert_allclose(again.scores(score="best"), found.scores(score="best"), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(again.local_maps(), found.local_maps(), rtol=1e-2, atol=1e-4)


def test_images_are_drawn_once_and_alike_from_whatever_holds_them():
    images = (np.arange(700, dtype="float32") / 700).reshape(-1, 1, 1, 1) * np.ones((1, 4, 4, 1), "float32")
    some = drawn(images, 50, seed=3)
    assert len(some) == 50 and (np.diff(some[:, 0, 0, 0]) > 0).all()
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(64)
    for same in (Split(images), dataset):
        np.testing.assert_array_equal(drawn(same, 50, seed=3), some)
    np.testing.assert_array_equal(drawn(images, 1000), images)


@pytest.mark.parametrize("flips", [False, True])
def test_what_is_usual_is_learned_from_mirror_images_where_training_shows_them(tiny_data, flips):
    images = tiny_data.train.images
    shown = usual.examples(images, 0, flips, images.shape[1:])
    assert len(shown) == len(images) * (1 + flips) and not np.allclose(images, images[:, :, ::-1])
    mean = usual.Usual.of(shown).mean.reshape(images.shape[1:])
    assert np.allclose(mean, mean[:, ::-1], atol=1e-5) == flips
    few = usual.examples(images, 0, flips, (2**26 // 10,))
    assert len(few) == 10


def test_images_without_contrast_have_no_patch_to_show(tiny_detector):
    gan = AnoGAN.load(tiny_detector).gan
    black = np.full((8, *gan.image_shape), -1, "float32")
    assert usual.patched(black).shape == (0, *gan.image_shape)
    detector = AnoGAN(gan).fit_encoder(black, epochs=1, verbose=False).standardise(black)
    assert np.isfinite(detector.invert(black).scores()).all()
