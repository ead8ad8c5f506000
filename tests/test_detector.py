"""The detector as its users call it: fit, calibrate, predict, evaluate, save, load, and the earlier systems' calls."""

import json

import numpy as np
import pytest
import tensorflow as tf

from anogan_lib import DCGAN, AnoGAN, saving
from anogan_lib.datasets.base import AnomalyDataset, Split
from anogan_lib.evaluation import metrics, thresholds
from anogan_lib.evaluation.evaluation import LAMS, auroc_over_lambda
from anogan_lib.evaluation.regions import regions
from anogan_lib.fast import encoder

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
    parts = [Split(discs(n, s)[0]) for n, s in ((96, 0), (24, 1), (40, 2))]
    test.reference = parts[0]
    return AnomalyDataset("discs", "Discs.", *parts, test)


@pytest.fixture(scope="module")
def detector(data):
    gan = DCGAN(SHAPE, latent_dim=4, width=8, learning_rate=2e-3, ema_decay=0.9, seed=0)
    gan.train(data.train, epochs=120, verbose=False)
    detector = AnoGAN(gan, recipe="best")
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
        found.scores,
        changed.scores["standardised"].standardise("discrimination", found.discrimination),
        rtol=1e-4,
        atol=1e-4,
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
        np.testing.assert_allclose(searcher.scores["standardised"].standardise(name, losses).mean(), 0, atol=1e-4)


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
    the map scale, the background filter and the end of the encoder's training, test images nothing."""
    monkeypatch.setattr("anogan_lib.fast.encoder.ADAPTED", encoder.ADAPTED._replace(steps=20))
    splits = {name: getattr(data, name) for name in ("train", "validation", "calibration", "test")}
    holes, _ = discs(len(splits[poisoned]), 9, hole=True)
    before, after = (
        AnoGAN(detector.gan, recipe="best").fit(AnomalyDataset("discs", "Discs.", **which), verbose=False)
        for which in (splits, splits | {poisoned: Split(holes, labels=np.ones(len(holes)))})
    )
    if poisoned != "validation":
        for one, other in zip(before.encoder.get_weights(), after.encoder.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    spreads = [each.scores["best"].spreads for each in (before, after)]
    assert (spreads[0] == spreads[1]) == (poisoned != "validation")
    assert (before.map_scale == after.map_scale) == (poisoned != "validation")
    for name, losses in before.calibration.items() if poisoned != "validation" else ():
        assert np.allclose(losses, after.calibration[name]) == (poisoned != "calibration")
    if poisoned == "calibration":
        assert after.threshold != before.threshold
        assert after.pixel_threshold != before.pixel_threshold
    if poisoned == "test":
        assert after.threshold == before.threshold


def test_the_pixel_threshold_marks_holes_and_few_good_images(detector, data):
    threshold = detector.pixel_threshold
    assert threshold.false_alarm_rate == 0.05
    calibration = detector.predict(data.calibration).maps
    assert np.mean([bool(regions(map, threshold.value * 1.001)) for map in calibration]) <= 0.05
    found = detector.predict(data.test)
    detector.false_alarm_rate = 0.3
    lower = detector.pixel_threshold
    detector.false_alarm_rate = 0.05
    touched = [
        any((each & mask).any() for each in regions(map, lower))
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
        AnoGAN(detector.gan).pixel_threshold  # noqa: B018


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


def test_lambda_curves_weigh_one_search_again(data):
    searcher = AnoGAN(DCGAN(SHAPE, latent_dim=4, width=8, seed=2), score="standardised", steps=20, lam=0.3)
    searcher.standardise(data.validation).calibrate(data.calibration)
    labels, lams = data.test.labels, (0.0, 0.3, 1.0)
    found = searcher.invert(data.test)
    curve = auroc_over_lambda(searcher, found.losses, labels, lams)
    assert curve == pytest.approx([metrics.auroc(labels, found.scores(lam)) for lam in lams])
    prediction = searcher.predict(data.test)
    assert curve[1] == pytest.approx(searcher.evaluate(data.test, prediction).auroc)
    np.testing.assert_array_equal(auroc_over_lambda(searcher, prediction.losses, labels, lams), curve)
    assert len(auroc_over_lambda(searcher, found.losses, labels)) == len(LAMS)
    again = metrics.auroc(labels, searcher.invert(data.test, lam=0.0).scores())
    assert again == pytest.approx(metrics.auroc(labels, searcher.invert(data.test, lam=0.0).residual))


def test_drift_is_reported_for_a_batch_as_a_whole(detector, data):
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
    detector = AnoGAN(DCGAN(SHAPE, latent_dim=4, width=8), steps=5)
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
    for options in ({"lam": 0.2}, {"score": "paper"}, {"init": "random"}, {"steps": 20}):
        with pytest.raises(ValueError, match=f"detector.{next(iter(options))}"):
            detector.predict(data.test, **options)
    with pytest.raises(ValueError, match="labels"):
        detector.evaluate(data.test.images)
    with pytest.raises(FileNotFoundError, match="no detector"):
        AnoGAN.load(tmp_path)
    with pytest.raises(ValueError, match="19"):
        AnoGAN(detector.gan, steps=1).calibrate(data.calibration[:5])


def test_plain_anogan_is_the_papers_method(data):
    gan = DCGAN(SHAPE, latent_dim=4, width=8, seed=2)
    gan.train(data.train, epochs=1, verbose=False)
    detector = AnoGAN(gan).fit(data)
    assert detector.encoder is None and (detector.score, detector.lam, detector.init) == ("paper", 0.1, "random")
    found = detector.invert(data.test[:3])
    assert found.losses.keys() == {"residual", "discrimination"}, "losses that nobody asked for are not computed"
    np.testing.assert_allclose(
        detector.predict(data.test[:3]).scores, 0.9 * found.residual + 0.1 * found.discrimination
    )
    assert repr(detector) == "AnoGAN(16x16x1, recipe='paper')"


def test_f_anogan_is_as_published(data, monkeypatch):
    monkeypatch.setattr("anogan_lib.fast.encoder.PUBLISHED", encoder.PUBLISHED._replace(steps=12))
    gan = DCGAN(SHAPE, latent_dim=4, width=8, seed=2)
    gan.train(data.train, epochs=4, verbose=False)
    detector = AnoGAN(gan, recipe="f-anogan").fit(data)
    assert detector.generator is gan.averaged, "G is frozen"
    assert not detector.scores["best"].backgrounds
    found = detector.invert(data.test)
    x, y = found.images, found.reconstruction
    f_x, f_y = (detector.features(each).numpy() for each in (x, y))
    expected = ((x - y) ** 2).mean(axis=(1, 2, 3)) + ((f_x - f_y) ** 2).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(found.scores(), expected, rtol=1e-4)
    assert detector.predict(data.test).verdicts.shape == (40,)
    assert set(detector.scores.names_for(found.losses)) == {"paper", "standardised", "f-anogan"}
    with pytest.raises(ValueError, match='AnoGAN\\(gan, score="best"\\)'):
        found.scores(score="best")


def test_each_part_of_a_recipe_can_be_named():
    gan = DCGAN(SHAPE, latent_dim=4, width=8)
    detector = AnoGAN(gan, lam=0.3, score="standardised", init="encoder", steps=20)
    assert repr(detector) == "AnoGAN(16x16x1, recipe='paper', score='standardised', lam=0.3, init='encoder', steps=20)"
    with pytest.raises(ValueError, match="paper, f-anogan, best"):
        AnoGAN(gan, recipe="magic")
    with pytest.raises(ValueError, match="fit_encoder"):
        detector.invert(np.zeros((1, *SHAPE), "float32"))


def test_verdicts_belong_to_the_calibrations_search(data):
    """Other steps or another start had other scores, and up to 79 % false alarms without a word."""
    searcher = AnoGAN(DCGAN(SHAPE, latent_dim=4, width=8, seed=2), steps=5)
    searcher.standardise(data.validation).calibrate(data.calibration)
    with pytest.raises(ValueError, match="own search"):
        searcher.judge(searcher.invert(data.test, steps=0))
    searcher.steps = 0
    with pytest.raises(ValueError, match=r"another search, .*'steps': 5.*calibrate again.*Received: .*'steps': 0"):
        searcher.threshold  # noqa: B018
    with pytest.raises(ValueError, match="another search"):
        searcher.predict(data.test)
    searcher.steps = 5
    assert searcher.predict(data.test[:2]).verdicts.shape == (2,)


def test_calibrating_again_drops_the_card_of_before(detector, data, tmp_path):
    """The report printed a threshold and an AUROC that were no longer the detector's."""
    detector.save(tmp_path, card={"data": "discs", "threshold": 1.0})
    loaded = AnoGAN.load(tmp_path)
    assert loaded.card
    assert loaded.calibrate(data.calibration).card == {}
    loaded.save(tmp_path)
    assert not (tmp_path / "card.json").exists() and not (tmp_path / "card.md").exists()


def test_a_new_encoder_makes_what_was_learned_void(detector, data, tmp_path):
    detector.save(tmp_path)
    loaded = AnoGAN.load(tmp_path).fit_encoder(data.train, epochs=1, verbose=False)
    assert loaded.calibration is None and not loaded.scores["best"].learned
    assert loaded.weights == loaded.scores["paper"].weights(loaded.lam)


def test_a_detector_that_has_trained_no_encoder_has_no_losses_of_one(detector, tmp_path):
    detector.save(tmp_path)
    assert len(detector.encoder_losses) > 0
    assert AnoGAN.load(tmp_path).encoder_losses == AnoGAN(detector.gan).encoder_losses == []


def test_a_search_that_is_asked_for_weighs_losses_in_spreads(detector, data, tmp_path):
    """A detector without a search of its own kept the weights of raw sums."""
    detector.save(tmp_path)
    loaded = AnoGAN.load(tmp_path).standardise(data.validation)
    assert not loaded.steps and loaded.weights == loaded.scores["best"].weights(loaded.lam) != (0.5, 0.5)


def test_images_that_were_learned_from_are_left_out_of_an_evaluation(detector, data):
    mixed = Split(
        np.concatenate([data.test.images, data.train.images[:7], data.calibration.images[:5]]),
        labels=np.concatenate([data.test.labels, np.zeros(12, int)]),
    )
    evaluation = detector.evaluate(mixed)
    assert evaluation.left_out == 12
    assert evaluation.auroc == pytest.approx(detector.evaluate(data.test).auroc)
    given = detector.evaluate(mixed, detector.predict(mixed))
    np.testing.assert_allclose(given.scores, evaluation.scores, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="learned from every one"):
        detector.evaluate(Split(data.train.images, labels=np.zeros(96, int)))


def test_saving_over_another_detector_leaves_nothing_of_it(detector, data, tmp_path):
    detector.save(tmp_path, card={"data": "discs"})
    (tmp_path / "checkpoint").mkdir()
    plain = AnoGAN(detector.gan, steps=2).calibrate(data.calibration)
    plain.save(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert "checkpoint" in names
    assert not names & {"encoder.keras", "adapted.keras", "backgrounds.npz", "card.json", ".complete", ".unfinished"}
    assert AnoGAN.load(tmp_path).recipe == "paper"


@pytest.mark.parametrize("moment", range(12))
def test_saving_is_whole_or_not_at_all(moment, detector, data, tmp_path, monkeypatch):
    """Whatever file operation fails, the folder holds the old detector or the new one."""
    plain = AnoGAN(detector.gan, steps=2).calibrate(data.calibration)
    plain.save(tmp_path)
    count = 0

    def failing(real):
        def call(*args, **options):
            nonlocal count
            count += 1
            if count > moment:
                raise OSError(28, "No space left on device")
            return real(*args, **options)

        return call

    for name in ("replace", "rename"):
        monkeypatch.setattr(f"anogan_lib.saving.os.{name}", failing(getattr(saving.os, name)))
    try:
        detector.save(tmp_path)
    except OSError:
        assert count == moment + 1
    monkeypatch.undo()
    found = AnoGAN.load(tmp_path)
    expected = {"paper": plain, "best": detector}[found.recipe]
    assert found.threshold == pytest.approx(expected.threshold)
    assert found.predict(data.test[:2]).scores == pytest.approx(expected.predict(data.test[:2]).scores, rel=1e-3)


@pytest.mark.parametrize("name", ["encoder.keras", "calibration.npz", "splits.json", "dcgan.json"])
def test_a_damaged_file_is_named(name, detector, tmp_path):
    detector.save(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}: it is damaged"):
        AnoGAN.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"no file .*{name}|{name} missing"):
        AnoGAN.load(tmp_path)


def test_another_format_is_refused(detector, tmp_path):
    detector.save(tmp_path)
    about = json.loads((tmp_path / "detector.json").read_text())
    (tmp_path / "detector.json").write_text(json.dumps(about | {"format": 99}))
    with pytest.raises(ValueError, match="reads 1 to 4"):
        AnoGAN.load(tmp_path)
