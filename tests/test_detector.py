"""The detector as its users call it: fit, calibrate, predict, evaluate, save, load, and the earlier systems' calls."""

import numpy as np
import pytest
import tensorflow as tf

from anogan_lib import DCGAN, AnoGAN, encoder, metrics, thresholds, weighing
from anogan_lib.datasets.base import AnomalyDataset, Split
from anogan_lib.localisation import regions

SHAPE = (16, 16, 1)


def discs(count, seed, hole=False):
    """Bright discs at random places, (count, 16, 16, 1); with a dark square in them where `hole`; and their masks."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:16, :16]
    centres = rng.uniform(6, 10, (count, 2, 1, 1))
    near = (rows - centres[:, 0]) ** 2 + (columns - centres[:, 1]) ** 2 < 20
    masks = np.maximum(abs(rows - centres[:, 0]), abs(columns - centres[:, 1])) < 1.6
    masks &= hole
    images = np.where(near & ~masks, 0.8, -0.8) + 0.05 * rng.standard_normal((count, 16, 16))
    return np.clip(images, -1, 1).astype("float32")[..., None], masks


@pytest.fixture(scope="module")
def data():
    good, holed = discs(20, 3), discs(20, 4, hole=True)
    test = Split(
        np.concatenate([good[0], holed[0]]),
        kinds=["good"] * 20 + ["hole"] * 20,
        masks=np.concatenate([good[1], holed[1]]),
        names=[f"{i:03d}" for i in range(40)],
    )
    return AnomalyDataset("discs", "Discs.", *(Split(discs(n, s)[0]) for n, s in ((96, 0), (24, 1), (40, 2))), test)


@pytest.fixture(scope="module")
def detector(data):
    gan = DCGAN(SHAPE, latent_dim=4, width=8, learning_rate=2e-3, ema_decay=0.9, seed=0)
    gan.train(data.train, epochs=120, verbose=False)
    detector = AnoGAN(gan)
    detector.fit_encoder(data.train, epochs=80, learning_rate=2e-3, verbose=False)
    return detector.standardise(data.validation).calibrate(data.calibration, false_alarm_rate=0.05)


def test_holes_are_found(detector, data):
    evaluation = detector.evaluate(data.test)
    assert evaluation.auroc > 0.9
    assert evaluation.pixel_auroc > 0.8
    assert evaluation.threshold == detector.threshold
    assert "3-NN" in evaluation.baselines


def test_verdicts_scores_and_p_values_agree(detector, data):
    found = detector.predict(data.test)
    np.testing.assert_array_equal(found.verdicts, found.scores > detector.threshold)
    np.testing.assert_array_equal(found.verdicts, found.p_values <= 0.05)
    assert found.maps.shape == (40, 16, 16)
    np.testing.assert_allclose(
        found.p_values,
        thresholds.p_values(detector.predict(data.calibration).scores, found.scores),
        atol=0.03,
    )


def test_lambda_and_score_may_change_without_a_new_search(detector, data, tmp_path):
    detector.save(tmp_path)
    changed = AnoGAN.load(tmp_path, lam=1.0, score="standardised")
    found = changed.predict(data.test)
    np.testing.assert_allclose(
        found.scores, changed.spreads("discrimination", found.discrimination), rtol=1e-4, atol=1e-4
    )
    again = AnoGAN.load(tmp_path, lam=1.0, score="standardised")
    assert changed.threshold == again.calibrate(data.calibration).threshold


def test_another_lambda_does_not_change_the_search(data):
    searcher = AnoGAN(DCGAN(SHAPE, latent_dim=4, width=8, seed=2), score="standardised", steps=20)
    searcher.standardise(data.validation).calibrate(data.calibration)
    before = searcher.predict(data.calibration)
    searcher.lam = 0.0
    after = searcher.predict(data.calibration)
    np.testing.assert_allclose(after.residual, before.residual)
    np.testing.assert_allclose(np.sort(after.scores), np.sort(searcher.calibration_scores), rtol=1e-4, atol=1e-4)
    assert not np.allclose(searcher.invert(data.calibration, lam=1.0).residual, before.residual)


def test_spreads_come_from_the_detectors_own_starts(data):
    searcher = AnoGAN(DCGAN(SHAPE, latent_dim=4, width=8, seed=2), score="standardised", steps=0, seed=7)
    searcher.standardise(data.validation)
    for name, losses in searcher.invert(data.validation).losses.items():
        np.testing.assert_allclose(searcher.spreads(name, losses).mean(), 0, atol=1e-4)


def test_saved_and_loaded_say_the_same(detector, data, tmp_path):
    detector.save(tmp_path, card={"data": "discs"})
    loaded = AnoGAN.load(tmp_path)
    ours, theirs = detector.predict(data.test), loaded.predict(data.test)
    np.testing.assert_allclose(theirs.scores, ours.scores, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(theirs.verdicts, ours.verdicts)
    assert loaded.threshold == pytest.approx(detector.threshold)
    assert (tmp_path / "card.json").is_file()


def test_only_calibration_images_set_the_threshold(detector, data, tmp_path):
    detector.save(tmp_path)
    loaded = AnoGAN.load(tmp_path)
    higher = loaded.calibrate(data.test[20:]).threshold
    assert higher > detector.threshold
    assert loaded.calibrate(data.calibration).threshold == pytest.approx(detector.threshold, rel=1e-4)


@pytest.mark.parametrize("poisoned", ["validation", "calibration", "test"])
def test_what_sets_a_threshold_served_nothing_else(poisoned, detector, data, monkeypatch):
    """Defects are slipped into one split: calibration images move the threshold alone, validation images the spreads,
    the map scale and what score="best" looks past but no network and no loss of the paper, test images nothing."""
    monkeypatch.setattr("anogan_lib.encoder.WITH_G", encoder.WITH_G._replace(steps=20))
    splits = {name: getattr(data, name) for name in ("train", "validation", "calibration", "test")}
    holes, _ = discs(len(splits[poisoned]), 9, hole=True)
    before, after = (
        AnoGAN(detector.gan).fit(AnomalyDataset("discs", "Discs.", **which), verbose=False)
        for which in (splits, splits | {poisoned: Split(holes, labels=np.ones(len(holes)))})
    )
    for one, other in zip(before.encoder.get_weights(), after.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (before.spreads == after.spreads) == (poisoned != "validation")
    assert (before.map_scale == after.map_scale) == (poisoned != "validation")
    for name in ("residual", "discrimination", "map_peak") if poisoned == "validation" else before.calibration:
        losses = before.calibration[name]
        assert np.allclose(losses, after.calibration[name]) == (poisoned != "calibration")
    if poisoned == "calibration":
        assert after.threshold != before.threshold
        assert after.pixel_threshold != before.pixel_threshold
    if poisoned == "test":
        assert after.threshold == before.threshold


def test_the_pixel_threshold_marks_holes_and_few_good_images(detector, data):
    threshold = detector.pixel_conformal(0.05)
    assert not threshold.sees_labels and threshold.false_alarm_rate == 0.05
    assert detector.pixel_threshold == threshold.value
    calibration = detector.predict(data.calibration).maps
    assert np.mean([bool(regions(map, threshold.value * 1.001)) for map in calibration]) <= 0.05
    found = detector.predict(data.test)
    lower = detector.pixel_conformal(0.3)
    touched = [
        any((each.mask & mask).any() for each in regions(map, lower))
        for map, mask in zip(found.maps[20:], data.test.masks[20:], strict=True)
    ]
    alarms = [bool(regions(map, lower)) for map in found.maps[:20]]
    assert np.mean(touched) > np.mean(alarms) + 0.2
    assert lower.value < threshold.value


def test_the_pixel_threshold_belongs_to_the_maps_of_the_score(detector, data, tmp_path):
    detector.save(tmp_path)
    changed = AnoGAN.load(tmp_path, score="paper")
    highest = changed.predict(data.calibration).maps.max(axis=(1, 2))
    assert changed.pixel_threshold == pytest.approx(np.sort(highest)[-2], rel=1e-3)  # 2 of 41 may lie above
    with pytest.raises(ValueError, match="calibrate"):
        AnoGAN(detector.gan, score="paper").pixel_threshold  # noqa: B018


def test_only_the_region_of_interest_counts(detector, data, tmp_path):
    region = np.zeros(SHAPE[:2], bool)
    region[:, :8] = True
    settings = {"score": "standardised", "steps": 10}
    left = AnoGAN(detector.gan, region=region, **settings).standardise(data.validation).calibrate(data.calibration)
    images = data.test.images.copy()
    before = left.predict(images)
    images[:, :, 8:] = np.random.default_rng(0).uniform(-1, 1, images[:, :, 8:].shape)
    after = left.predict(images)
    np.testing.assert_array_equal(after.scores, before.scores)
    np.testing.assert_array_equal(after.maps, before.maps)
    assert (before.maps[:, ~region] == 0).all() and before.maps[:, region].all(axis=1).any()
    assert not np.allclose(left.predict(images[:, ::-1]).scores, before.scores)

    left.save(tmp_path)
    loaded = AnoGAN.load(tmp_path)
    assert loaded.threshold == left.threshold
    np.testing.assert_allclose(loaded.predict(images).scores, after.scores, rtol=1e-3, atol=1e-3)
    whole = AnoGAN(detector.gan, region=np.ones(SHAPE[:2], bool), **settings)
    np.testing.assert_array_equal(
        whole.invert(images).residual, AnoGAN(detector.gan, **settings).invert(images).residual
    )
    with pytest.raises(ValueError, match="region of interest"):
        AnoGAN(detector.gan, region=region.astype(float))


def test_lambda_curves_re_weighted_and_searched_anew(data):
    searcher = AnoGAN(DCGAN(SHAPE, latent_dim=4, width=8, seed=2), score="standardised", steps=20, lam=0.3)
    searcher.standardise(data.validation).calibrate(data.calibration)
    labels, lams = data.test.labels, (0.0, 0.3, 1.0)
    found = searcher.invert(data.test)
    curve = weighing.auroc_reweighted(searcher, found, labels, lams)
    assert curve == pytest.approx([metrics.auroc(labels, found.scores(lam)) for lam in lams])
    prediction = searcher.predict(data.test)
    assert curve[1] == pytest.approx(searcher.evaluate(data.test, prediction).auroc)
    np.testing.assert_array_equal(weighing.auroc_reweighted(searcher, prediction, labels, lams), curve)
    assert len(weighing.auroc_reweighted(searcher, found, labels)) == len(weighing.LAMS)

    anew = weighing.auroc_searched_anew(searcher, data.test, labels, lams)
    assert anew[1] == pytest.approx(curve[1], abs=0.01)  # the lambda that the search had anyway
    assert anew[0] == pytest.approx(metrics.auroc(labels, searcher.invert(data.test, lam=0.0).residual))
    assert not np.allclose(anew, curve)


def test_from_an_encoder_alone_nothing_is_searched_anew(detector, data):
    labels = data.test.labels
    curve = weighing.auroc_reweighted(detector, detector.predict(data.test), labels, (0.0, 1.0))
    np.testing.assert_allclose(weighing.auroc_searched_anew(detector, data.test, labels, (0.0, 1.0)), curve)


def test_drift_is_told_of_a_batch_as_a_whole(detector, data):
    p, sentence = detector.drift(detector.predict(data.test[:20]).scores)
    assert p > 0.01 and sentence.startswith("No sign of drift")
    p, sentence = detector.drift(detector.predict(data.test[20:]).scores)
    assert p < 0.01 and sentence.startswith("Drift") and f"p = {p:.2g}" in sentence


def test_what_the_earlier_systems_call(detector, data, tmp_path):
    some = data.test[[0, 1, 30]]
    results, threshold, accuracy = detector.test(some, results_dir=tmp_path / "results")
    assert [set(each) for each in results] == [{"anomaly_score", "label"}] * 3
    assert threshold == detector.threshold
    right = [(each["anomaly_score"] > threshold) == each["label"] for each in results]
    assert accuracy == pytest.approx(np.mean(right))
    assert len(list((tmp_path / "results").glob("*.png"))) == 3
    score, similar = detector.compute_anomaly_score(data.test.images[30])
    assert score == pytest.approx(results[2]["anomaly_score"], rel=1e-3)
    assert similar.shape == SHAPE


def test_a_dataset_of_pairs_goes_wherever_a_split_goes(detector, data):
    pairs = tf.data.Dataset.from_tensor_slices((data.test.images, data.test.labels))
    for again in (pairs.batch(7), pairs.shuffle(40)):
        assert detector.evaluate(again).auroc == pytest.approx(detector.evaluate(data.test).auroc)


def test_a_shuffled_dataset_keeps_each_label_with_its_image(detector, data, tmp_path):
    pairs = tf.data.Dataset.from_tensor_slices((data.test.images, data.test.labels))
    results, _, accuracy = detector.test(pairs.shuffle(40), results_dir=tmp_path)
    ordered, _, same = detector.test(pairs, results_dir=tmp_path)
    assert accuracy == same
    by_score = [sorted((each["anomaly_score"], each["label"]) for each in part) for part in (results, ordered)]
    np.testing.assert_allclose(*by_score, rtol=1e-4)


def test_a_card_goes_with_its_detector(detector, tmp_path):
    detector.save(tmp_path / "a", card={"data": "discs"})
    loaded = AnoGAN.load(tmp_path / "a")
    loaded.save(tmp_path / "b")
    assert AnoGAN.load(tmp_path / "b").card == loaded.card and loaded.card["data"] == "discs"
    detector.save(tmp_path / "b")  # has none
    assert AnoGAN.load(tmp_path / "b").card == {}


def test_without_calibration_it_searches_but_does_not_judge(data):
    detector = AnoGAN(DCGAN(SHAPE, latent_dim=4, width=8), score="paper", steps=5)
    assert detector.invert(data.test[:2]).scores().shape == (2,)
    with pytest.raises(ValueError, match="calibrate"):
        detector.predict(data.test)
    with pytest.raises(ValueError, match="not been trained"):
        detector.fit(data)


def test_errors_say_what_is_right(detector, data, tmp_path):
    with pytest.raises(ValueError, match=r"data\.test"):
        detector.predict(data)
    with pytest.raises(ValueError, match=r"size=\(16, 16\)"):
        detector.predict(np.zeros((2, 28, 28, 1), "float32"))
    with pytest.raises(ValueError, match="channels=1"):
        detector.predict(np.zeros((2, *SHAPE[:2], 3), "float32"))
    for options in ({"lam": 0.2}, {"score": "paper"}):
        with pytest.raises(ValueError, match=f"detector.{next(iter(options))}"):
            detector.predict(data.test, **options)
    with pytest.raises(ValueError, match="labels"):
        detector.evaluate(data.test.images)
    with pytest.raises(FileNotFoundError, match="no detector"):
        AnoGAN.load(tmp_path)
    with pytest.raises(ValueError, match="19"):
        AnoGAN(detector.gan, score="paper", steps=1).calibrate(data.calibration[:5])
