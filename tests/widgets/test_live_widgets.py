"""Walk, monitor and painter from Python: what they show against other ways of computing it."""

import asyncio
import contextlib
import io
import json
import os
import re
import signal
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from traitlets import TraitError

from anogan_lib import DCGAN, AnoGAN
from anogan_lib.datasets.images import to_uint8
from anogan_lib.evaluation import thresholds
from anogan_lib.training.progress import FIGURES
from anogan_lib.widgets import DefectPainter, LatentWalk, TrainingMonitor, monitor, walk


def tiles(sheet: dict) -> np.ndarray:
    """A sheet's pictures as the browser would read them, (N, H, W, C)."""
    whole = np.asarray(Image.open(io.BytesIO(sheet["data"])))
    w, h, across = sheet["width"], sheet["height"], sheet["columns"]
    return np.stack([whole[i // across * h :, i % across * w :][:h, :w] for i in range(sheet["count"])])


def sent(view) -> int:
    """Bytes of the state that goes to the browser, the scripts apart."""

    def size(value):
        if isinstance(value, dict):
            return sum(map(size, value.values()))
        return len(value) if isinstance(value, bytes) else len(json.dumps(value, default=str))

    return sum(size(value) for name, value in view.get_state().items() if name not in ("_esm", "_css"))


# ---- walk


@pytest.fixture
def walker(masked_detector, masked_data):
    return LatentWalk(masked_detector, masked_data.test[:12], directions=3)


def test_directions_are_the_principal_components_of_z():
    from sklearn.decomposition import PCA

    z = np.random.default_rng(0).standard_normal((30, 6)) @ np.diag([5, 1, 3, 2, 0.5, 4])
    directions, spreads, shares = walk.principal_directions(z, 4)
    pca = PCA(4).fit(z)
    np.testing.assert_allclose(np.abs(directions @ pca.components_.T), np.eye(4), atol=1e-6)
    np.testing.assert_allclose(spreads, np.sqrt(pca.explained_variance_))
    np.testing.assert_allclose(shares, pca.explained_variance_ratio_)
    assert np.all(np.abs(directions).max(axis=1) == directions.max(axis=1))  # none is turned round by another solver


def test_without_images_directions_are_those_that_pictures_follow():
    rng = np.random.default_rng(0)
    z, strong, weak = rng.standard_normal((4000, 5)), np.eye(5)[3], np.eye(5)[1]
    pictures = np.outer(z @ strong, np.eye(48)[7]) + 0.2 * np.outer(z @ weak, np.eye(48)[30])
    directions, spreads, shares = walk.visible_directions(z, pictures.reshape(-1, 4, 4, 3), 2)
    np.testing.assert_allclose(directions, [strong, weak], atol=0.05)
    assert spreads.tolist() == [1, 1] and shares[0] > 0.9


def test_the_walk_starts_at_an_images_z_and_goes_along_a_direction(walker, masked_detector, masked_data):
    z = masked_detector.invert(masked_data.test[:12]).z
    np.testing.assert_allclose(walker.z, z[0], atol=1e-5)
    walker.between, walker.mix = (2, 7), 1.0
    np.testing.assert_allclose(walker.z, z[7], atol=1e-5)
    walker.position = [2.0, 0.0, -1.0]
    moved = z[7] + 2 * walker.spreads[0] * walker.directions[0] - walker.spreads[2] * walker.directions[2]
    np.testing.assert_allclose(walker.z, 2 * moved / np.linalg.norm(moved), atol=1e-5)  # latent_dim 4: radius 2
    np.testing.assert_allclose(walker.image, np.asarray(masked_detector.generator(walker.z[None]))[0], atol=1e-5)
    np.testing.assert_array_equal(tiles(walker.picture)[0], to_uint8(walker.image))
    np.testing.assert_array_equal(tiles(walker.ends), to_uint8(masked_data.test.images[[2, 7]]))
    assert "at image 7 (good), moved +2.00 along direction 1, -1.00 along direction 3" in walker.caption


def test_the_way_between_two_images_follows_the_prior(walker):
    a, b = walker.ends_z[:2]
    way = walk.interpolate(a, b, np.linspace(0, 1, 9), "sphere")
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 2, rtol=1e-5)
    angles = np.arccos(np.sum(way[1:] * way[:-1], axis=1) / 4)
    np.testing.assert_allclose(angles, angles.mean(), rtol=1e-3)  # even steps, none of them a detour
    assert angles.sum() == pytest.approx(np.arccos(a @ b / 4), rel=1e-3)
    np.testing.assert_allclose(walk.interpolate(a, b, [0.25], "normal")[0], 0.75 * a + 0.25 * b, rtol=1e-6)
    np.testing.assert_allclose(walk.interpolate(a, a, [0.5], "sphere")[0], a, rtol=1e-6)


@pytest.mark.parametrize("control, places", [("mix", np.linspace(0, 1, 41)), (1, np.linspace(-3, 3, 41))])
def test_pictures_computed_ahead_are_those_of_the_walk(walker, control, places):
    walker.position, walker.mix = [1.0, 0.0, 0.0], 0.4
    walker.look_ahead(control)
    ahead = tiles(walker.ahead["pictures"])
    assert len(ahead) == walker.levels == 41
    for i in (0, 13, 40):
        if control == "mix":
            walker.mix = float(places[i])
        else:
            walker.position = [1.0, float(places[i]), 0.0]
        assert np.abs(ahead[i].astype(int) - tiles(walker.picture)[0]).max() <= 1
        assert walker.caption.startswith(walker.ahead["captions"][i])


def test_samples_around_lie_on_the_prior_and_as_far_as_is_said(walker):
    near = tiles(walker.around)
    walker.spread = 0.0
    here = tiles(walker.around)
    assert np.abs(here.astype(int) - tiles(walker.picture)).max() <= 1  # eight times where we are
    walker.spread = 1.0
    far = [np.abs(each.astype(float) - here).mean() for each in (near, tiles(walker.around))]
    assert 0 < far[0] < far[1] and "100 %" in walker.caption


def test_a_walk_of_a_dcgan_alone(masked_detector):
    free = LatentWalk(masked_detector.gan, directions=9)
    assert free.directions.shape == (4, 4) and repr(free) == "LatentWalk(4 directions, 8 samples)"
    np.testing.assert_allclose(free.directions @ free.directions.T, np.eye(4), atol=1e-5)
    assert np.linalg.norm(free.z) == pytest.approx(2, rel=1e-5)


def test_a_walk_refuses_what_it_cannot_do(walker, masked_detector, masked_data):
    wrong = {
        "position holds 3": [1.0],
        "position is .* from -3 to 3": [9.0, 0, 0],
        "between is .* from 0 to 11": (0, 12),
    }
    for sentence, value in (wrong | {"'mix'": 1.5}).items():
        with pytest.raises((ValueError, TraitError), match=sentence):
            setattr(walker, re.search(r"\w+", sentence)[0], value)
    with pytest.raises(ValueError, match="LatentWalk\\(detector, images\\)"):
        LatentWalk(masked_detector.gan, masked_data.test)
    with pytest.raises(ValueError, match="at least two images"):
        LatentWalk(masked_detector, masked_data.test[:1])
    with pytest.raises(ValueError, match=r"directions is .* at least 1"):
        LatentWalk(masked_detector.gan, directions=0)


# ---- painter


@pytest.fixture
def painter(masked_detector, masked_data):
    return DefectPainter(masked_detector, masked_data.test.images[0])


SCRATCH = np.zeros((16, 16), bool)
SCRATCH[6:9, 3:13] = True


def test_a_painted_defect_is_judged_as_the_detector_judges_the_painted_image(painter, masked_detector, masked_data):
    painter.colour = "#ff8000"
    answer = painter.paint(SCRATCH)
    image = masked_data.test.images[0].copy()
    image[SCRATCH] = np.array([255, 128, 0]) / 127.5 - 1
    np.testing.assert_allclose(painter.painted, image, atol=1e-6)
    said = masked_detector.predict(image[None])
    above = said.maps[0] > masked_detector.pixel_threshold
    assert answer["score"] == pytest.approx(float(said.scores[0]), rel=1e-4)
    assert answer["p_value"] == thresholds.p_values(masked_detector.calibration_scores, said.scores)[0]
    assert answer["verdict"] == ("normal", "anomalous")[int(said.scores[0] > masked_detector.threshold)]
    assert answer["drawn"] == SCRATCH.sum() == 30
    assert answer["found"] == pytest.approx(np.mean(above[SCRATCH]))
    assert answer["overlap"] == pytest.approx(np.sum(above & SCRATCH) / np.sum(above | SCRATCH))
    assert f"30 pixels drawn, {100 * answer['found']:.0f} %" in painter.caption and answer["verdict"] in painter.caption
    assert len(painter.outline) % 4 == 0


def test_strokes_are_undone_one_by_one(painter):
    clean = painter.answer
    assert clean["drawn"] == 0 and clean["found"] is clean["overlap"] is None and "Nothing is drawn" in painter.caption
    first = painter.paint(SCRATCH)
    second = painter.paint(SCRATCH | SCRATCH.T)
    assert second["drawn"] > first["drawn"]
    painter.clear()
    assert painter.answer == pytest.approx(clean)
    for expected in (second, first, clean, clean):  # more often than there is anything to undo
        painter.undo()
        assert painter.answer == pytest.approx(expected)


def test_half_clear_strokes_and_grey_images(masked_data):
    gan = DCGAN((16, 16, 1), latent_dim=4, width=4, seed=0)
    detector = AnoGAN(gan, steps=1)
    grey = {name: getattr(masked_data, name).images[..., :1] for name in ("validation", "calibration")}
    detector.standardise(grey["validation"]).calibrate(grey["calibration"], false_alarm_rate=0.1)
    view = DefectPainter(detector, np.zeros((1, 16, 16, 1), "float32"))
    strokes = np.zeros((16, 16, 4), np.uint8)
    strokes[0, 0], strokes[0, 1] = (255, 255, 255, 51), (0, 255, 0, 255)
    view.paint(strokes)
    assert view.painted[0, 0, 0] == pytest.approx(0.2)  # a fifth of white over grey
    assert view.painted[0, 1, 0] == pytest.approx(2 * 0.587 - 1, abs=1e-3)  # what green is worth
    assert np.all(view.painted[1:] == 0)


def test_what_the_browser_draws_comes_as_it_is_sent(painter):
    """A lift of the brush: the state as the front end sends it."""
    rgba = np.where(SCRATCH[..., None], np.array([9, 9, 9, 255]), 0).astype(np.uint8)
    painter.set_state({"strokes": memoryview(rgba.tobytes())})
    assert painter.answer["drawn"] == 30
    np.testing.assert_array_equal(painter.rgba, rgba)


def test_a_painter_refuses_what_it_cannot_judge(painter, masked_detector, masked_data):
    for wrong in (np.zeros((8, 8), bool), np.zeros((16, 16)), np.zeros((16, 16, 3), np.uint8)):
        with pytest.raises(ValueError, match="paint takes a mask"):
            painter.paint(wrong)
    with pytest.raises(ValueError, match="1024 bytes"):
        painter.strokes = b"123"
    with pytest.raises(ValueError, match="16, 16, 3"):
        DefectPainter(masked_detector, np.zeros((8, 8, 3), "float32"))
    with pytest.raises(ValueError, match="calibrate"):
        DefectPainter(AnoGAN(masked_detector.gan), masked_data.test.images[0])
    with pytest.raises(TypeError):  # verdicts belong to the search of the calibration
        DefectPainter(masked_detector, masked_data.test.images[0], steps=5)


# ---- monitor


def small(**settings):
    return DCGAN(**{"image_shape": (16, 16, 3), "latent_dim": 4, "width": 4, "seed": 3} | settings)


def waited(view):
    """The history of a training, started here and waited for as a notebook does."""

    async def ended():
        return await view.start()

    return asyncio.run(ended())


@pytest.fixture
def often(monkeypatch):
    """Looks after every step but the first, from which on the clock runs, whatever they cost."""
    monkeypatch.setattr(monitor, "EVERY", 0)
    monkeypatch.setattr(monitor, "SHARE", 1e9)


def test_a_watched_training_is_the_training_itself(masked_data, often):
    gan, alone = small(), small()
    view = TrainingMonitor(gan, masked_data.train, masked_data.validation, epochs=2, batch_size=16)
    assert not view.running and "2 epochs of 2 steps" in view.caption
    history = waited(view)
    plain = alone.train(masked_data.train, epochs=2, batch_size=16, verbose=False)
    np.testing.assert_allclose(history.d_loss, plain.d_loss, rtol=1e-4)
    np.testing.assert_allclose(gan.sample(8), alone.sample(8), atol=1e-4)
    np.testing.assert_array_equal(tiles(view.samples), to_uint8(gan.sample(8, seed=0)))
    steps, d_losses, g_losses, *shares = np.array(view.curve).T
    assert steps.tolist() == [2, 3, 4] and not view.running
    for losses, expected in ((d_losses, plain.d_loss), (g_losses, plain.g_loss)):
        np.testing.assert_allclose([losses[0], losses[1:].mean()], expected, rtol=1e-4)  # the first row is of two steps
    asked = (masked_data.train.images[:32], gan.sample(8, seed=0), masked_data.validation.images[:32])
    said = [float(np.mean(np.asarray(gan.discriminator(each)) > 0)) for each in asked]
    np.testing.assert_allclose([share[-1] for share in shares], said)
    assert f"{100 * said[2]:.0f} % of held-back images" in view.caption


def test_stopped_in_the_middle_of_an_epoch_and_gone_on_with_the_weights(masked_data, often):
    gan = small()
    whole = []
    counting = {"on_epoch": lambda gan, logs: whole.append(int(gan.epochs_done))}
    view = TrainingMonitor(gan, masked_data.train, epochs=3, batch_size=8, **counting)  # 4 steps an epoch
    view.observe(lambda change: change["new"][-1][0] == 6 and view.stop(), "curve")
    history = waited(view)
    assert int(gan.steps_done) == view.steps_done == 6 and len(history.d_loss) == 1
    assert not view.running and "Stopped after step 6 of 12; the weights are kept" in view.caption
    learned = gan.sample(4)
    assert len(waited(view).d_loss) == 3
    assert int(gan.steps_done) == view.steps_done == view.steps_in_all == 14 and whole == [1, 2, 3]
    assert not np.allclose(gan.sample(4), learned)
    assert len(waited(view).d_loss) == 6  # and further


def test_waiting_leaves_the_loop_free(masked_data):
    view = TrainingMonitor(small(), masked_data.train, epochs=100_000, batch_size=16)

    async def stopped_from_the_loop():
        asyncio.get_running_loop().call_later(1, view.stop)  # as a message from the browser would
        return await view.start()

    async def cancelled():
        waiting = asyncio.ensure_future(stopped_too_late())
        await asyncio.sleep(1)
        waiting.cancel()  # what the kernel does with a cell that is interrupted
        return await waiting

    async def stopped_too_late():
        return await view.start()

    assert asyncio.run(stopped_from_the_loop()) is view.history and not view.running
    before = view.steps_done
    assert asyncio.run(cancelled()) is view.history and not view.running
    assert view.steps_in_all > view.steps_done > before > 0


def test_an_interrupt_ends_the_training_after_the_present_step(masked_data):
    view = TrainingMonitor(small(), masked_data.train, epochs=100_000, batch_size=16)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may ignore it
    try:
        threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
        with contextlib.suppress(KeyboardInterrupt):  # raised by asyncio.run, once the training has ended
            waited(view)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert view.steps_in_all > view.steps_done > 0 and not view.running


class TrainingBrokeOff(Exception):
    pass


def broken_off(*_):
    raise TrainingBrokeOff


@pytest.mark.parametrize("stop", [lambda gan, logs: True, broken_off])
def test_a_thread_that_ends_early_is_not_running(masked_data, often, stop):
    view = TrainingMonitor(small(), masked_data.train, epochs=9, batch_size=16, on_epoch=stop)
    with contextlib.suppress(TrainingBrokeOff):
        waited(view)
    assert not view.running and view.steps_done == 2 and "Stopped after step 2 of 18" in view.caption
    with contextlib.suppress(TrainingBrokeOff):
        waited(view)
    assert view.steps_done == 4


def test_a_message_of_the_browser_waits_until_the_thread_has_set_its_traits(masked_data):
    view = TrainingMonitor(small(), masked_data.train, epochs=9, batch_size=16)
    message = threading.Thread(target=view._act, args=(view, {"do": "stop"}, []))
    with view._lock:  # as while it looks
        message.start()
        message.join(0.2)
        assert message.is_alive() and not view._halt.is_set()
    message.join(5)
    assert view._halt.is_set()


def test_before_the_first_step_the_still_picture_says_so(masked_data):
    view = TrainingMonitor(small(), masked_data.train, epochs=3, batch_size=16)
    figure = view.still()
    assert not figure.axes and "waiting for the first step" in figure.texts[0].get_text()


def test_watching_takes_less_than_a_twentieth_of_the_time(masked_data, monkeypatch):
    """By a clock of its own: a step takes 10 ms, a look 70 steps' time."""
    view = TrainingMonitor(small(), masked_data.train, masked_data.validation, epochs=10_000, batch_size=16)
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(monitor, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    view.observe(lambda _: setattr(clock, "now", clock.now + 0.7), "curve")  # while it looks
    for _ in range(20_000):
        clock.now += 0.01
        view._on_step(view.gan, dict.fromkeys(FIGURES, 1.0))
    looks = len(view.curve)
    assert view.cost < 0.05 and looks == pytest.approx(0.03 * clock.now / 0.7, abs=1.5)
    assert view.cost == pytest.approx(0.7 * looks / clock.now, rel=0.01)  # the last look is at the last step


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"diversity": 0.31}, "The generator repeats itself: its images differ from one another 31 % as much"),
        ({"d_real": 1.0, "d_fake": 0.0}, "The discriminator has won"),
        ({}, None),
    ],
)
def test_a_training_that_goes_wrong_says_so_in_the_caption(figures, said, masked_data, often):
    view = TrainingMonitor(small(), masked_data.train, masked_data.validation, epochs=1000, batch_size=16)
    logs = {"d_loss": 1.0, "g_loss": 1.0, "d_real": 0.7, "d_fake": 0.3, "diversity": 0.9} | figures
    view.gan.steps_done.assign(499)
    for _ in range(2):  # the clock begins with the first step
        view._on_step(view.gan, logs)
    assert f"diversity {logs['diversity']:.2f}." in view.caption
    assert "repeats itself" not in view.caption and "has won" not in view.caption, "too early to tell"
    view.gan.steps_done.assign(500)
    view._on_step(view.gan, logs)
    if said:
        assert said in view.caption
    else:
        assert view.caption.endswith("seconds an epoch.")


def test_long_trainings_send_short_curves(masked_data, often, monkeypatch):
    monkeypatch.setattr(monitor, "ROWS", 10)
    view = TrainingMonitor(small(), masked_data.train, epochs=13, batch_size=16)
    waited(view)
    steps = np.array(view.curve)[:, 0]
    assert len(steps) <= 10 and np.all(np.diff(steps) > 0) and steps[-1] > 24


def test_a_failed_training_is_reported_where_it_is_waited_for(masked_data):
    gan = small()
    gan.generator.set_weights([np.full_like(weights, np.nan) for weights in gan.generator.get_weights()])
    view = TrainingMonitor(gan, masked_data.train, epochs=9, batch_size=16)
    with pytest.raises(ValueError, match="diverged"):
        waited(view)
    assert "diverged" in view.problem and not view.running
    view.gan.train = lambda *_, **__: np.empty(2**58)
    with pytest.raises(MemoryError):
        waited(view)
    assert view.problem.startswith("The memory is not enough for this: a smaller batch_size,")
    with pytest.raises(ValueError, match=r"monitor\.start\(\)"):
        next(TrainingMonitor(small(), masked_data.train).__await__())
    with pytest.raises(ValueError, match=r"epochs is .* at least 1"):
        TrainingMonitor(small(), masked_data.train, epochs=0)


# ---- all three


def test_each_is_a_picture_and_a_short_repr_where_no_widget_can_be_drawn(walker, painter, masked_data, often):
    training = TrainingMonitor(small(), masked_data.train, masked_data.validation, epochs=1, batch_size=16)
    before = training._repr_mimebundle_()[0]["image/png"]
    waited(training)
    shown = {walker: "3 directions, 12 images", painter: "16x16 pixels", training: "1 epochs of 2 steps"}
    for view, about in shown.items():
        bundle, _ = view._repr_mimebundle_()
        picture = Image.open(io.BytesIO(bundle["image/png"])).convert("RGB")
        assert picture.width > 300 and picture.height > 60 and np.std(np.asarray(picture)[..., :3]) > 5
        assert repr(view) == f"{type(view).__name__}({about})"
        assert sent(view) < 1_000_000
    assert training._repr_mimebundle_()[0]["image/png"] != before
