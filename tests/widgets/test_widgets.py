"""The views from Python: traits, what they hold against other ways of computing it, exported pages."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from anogan_lib import DCGAN, AnoGAN, pictures
from anogan_lib.datasets.base import Split
from anogan_lib.datasets.images import to_uint8
from anogan_lib.detector import Prediction
from anogan_lib.evaluation import metrics, regions, thresholds
from anogan_lib.widgets import InversionStepper, LambdaExplorer, ResidualOverlay
from anogan_lib.widgets import overlay as overlay_module
from anogan_lib.widgets import stepper as stepper_module


@pytest.fixture(scope="module")
def detector(masked_data):
    made = AnoGAN(DCGAN(masked_data.image_shape, latent_dim=4, width=4, seed=0), steps=2, score="best")
    return made.standardise(masked_data.validation).calibrate(masked_data.calibration, false_alarm_rate=0.1)


@pytest.fixture
def stepper(detector, masked_data):
    return InversionStepper(detector, masked_data.test[:2], steps=20, restarts=2, init="random", lam=0.3)


@pytest.fixture(scope="module")
def explorer(detector, masked_data):
    return LambdaExplorer(detector, masked_data.test)


@pytest.fixture
def overlay(detector, masked_data):
    return ResidualOverlay(detector, masked_data.test)


def tiles(sheet: dict) -> np.ndarray:
    """A sheet's pictures as the browser would read them, (N, H, W, ...)."""
    whole = np.asarray(Image.open(io.BytesIO(sheet["data"])))
    w, h, across = sheet["width"], sheet["height"], sheet["columns"]
    places = [(i // across * h, i % across * w) for i in range(sheet["count"])]
    return np.stack([whole[y : y + h, x : x + w] for y, x in places])


# ---- the search, step by step


def test_stepper_holds_the_searches_of_the_detector(stepper, detector, masked_data):
    for restart in (0, 1):
        options = {"init": "random", "lam": 0.3, "seed": detector.seed + restart, "trace": True, "record_every": 5}
        trace = detector.invert(masked_data.test[:2], steps=20, **options).trace
        for i in (0, 1):
            run = stepper.runs[str(i)]
            assert run["steps"][0] == 0 and run["steps"][-1] == 20
            shared = np.isin(run["steps"], trace.steps)
            np.testing.assert_allclose(np.array(run["residual"][restart])[shared], trace.residual[:, i], rtol=1e-3)
            np.testing.assert_allclose(
                np.array(run["discrimination"][restart])[shared], trace.discrimination[:, i], rtol=1e-3
            )


def test_the_score_that_goes_down_is_the_formula(stepper, detector):
    spreads = detector.scores["standardised"].spreads
    run, (r, d) = stepper.runs["0"], (spreads[name] for name in ("residual", "discrimination"))
    by_hand = 0.7 * (np.array(run["residual"]) - r[0]) / r[1] + 0.3 * (np.array(run["discrimination"]) - d[0]) / d[1]
    np.testing.assert_allclose(run["score"], by_hand, rtol=1e-4, atol=1e-5)


def test_pulls_are_those_of_finite_differences(stepper, detector, masked_data):
    """The share of R in the gradient at the start, measured along each coordinate of z."""
    x = masked_data.test.images[:1]
    z = detector.invert(x, steps=0, init="random").z[0]
    spreads = [detector.scores["standardised"].spreads[name][1] for name in ("residual", "discrimination")]

    def losses(z):
        y = np.asarray(detector.generator(z[None]))
        fx, fy = (np.asarray(detector.features(each)) for each in (x, y))
        return np.array([0.7 * np.abs(x - y).sum() / spreads[0], 0.3 * np.abs(fx - fy).sum() / spreads[1]])

    steps = 1e-2 * np.eye(len(z), dtype="float32")
    pulls = np.stack([(losses(z + e) - losses(z - e)) / 2e-2 for e in steps], axis=1)  # (2, latent_dim)
    lengths = np.linalg.norm(pulls, axis=1)
    assert stepper.runs["0"]["share"][0][0] == pytest.approx(lengths[0] / lengths.sum(), abs=0.03)
    assert stepper.runs["0"]["cosine"][0][0] == pytest.approx(pulls[0] @ pulls[1] / lengths.prod(), abs=0.06)


def test_frames_are_query_then_g_of_z_and_residual(stepper, detector, masked_data):
    run = stepper.runs["1"]
    seen, count = tiles(run["sheet"]).astype(int), len(run["steps"])
    assert len(seen) == 1 + 2 * 2 * count
    assert np.abs(seen[0] - to_uint8(masked_data.test.images[1])).mean() < 8  # JPEG of noise
    found = detector.invert(masked_data.test[1:2], steps=20, init="random", lam=0.3, seed=detector.seed + 1)
    assert np.abs(seen[1 + 2 * (2 * count - 1)] - to_uint8(found.reconstruction[0])).mean() < 4


def test_state_is_kept_inside_and_described(stepper):
    stepper.step = 1
    before = stepper.caption
    assert f"step {stepper.steps_recorded[1]} of 20, random start 1" in before and "lambda 0.3" in before
    stepper.restart = 1
    assert stepper.caption != before and "random start 2" in stepper.caption
    stepper.step = 10_000
    assert stepper.step == len(stepper.steps_recorded) - 1
    with pytest.raises(ValueError, match=r"index is .* from 0 to 1\. Received: 2"):
        stepper.index = 2
    with pytest.raises(ValueError, match=r"restart is .* from 0 to 1\. Received: -1"):
        stepper.restart = -1
    assert repr(stepper) == "InversionStepper(2 images, 20 steps, 2 starts)"


def test_search_again_changes_what_is_named(stepper):
    stepper.step = len(stepper.steps_recorded) - 1
    before = stepper.runs["0"]["residual"][0][-1]
    stepper.search_again(lam=0.0, restarts=1)
    assert stepper.settings["steps"] == 20 and stepper.runs["0"]["lam"] == 0.0
    assert len(stepper.runs["0"]["residual"]) == 1
    assert stepper.runs["0"]["residual"][0][-1] <= before * 1.01  # R alone is brought lower
    for wrong in ({"steps": 0}, {"restarts": 1.5}, {"step_size": 0}, {"lam": 2}, {"speed": 1}, {"init": "best"}):
        with pytest.raises(ValueError, match="Received"):
            stepper.search_again(**wrong)


def test_what_the_browser_asks_for_is_done_or_its_failure_reported(stepper):
    stepper._act(stepper, {"do": "search_again", "with": {"steps": 10}}, [])
    assert stepper.steps_recorded[-1] == 10 and stepper.problem == "" and not stepper.busy
    stepper._act(stepper, {"do": "search_again", "with": {"steps": -1}}, [])
    assert "at least 1" in stepper.problem and stepper.steps_recorded[-1] == 10
    stepper._act(stepper, {"do": "export_html", "with": {}}, [])  # not among its actions
    assert stepper.steps_recorded[-1] == 10


def test_any_error_is_reported_to_the_browser(detector, masked_data, monkeypatch):
    stepper = InversionStepper(detector, masked_data.test[:6], steps=4)

    def fail(*_, **__):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(detector, "invert", fail)
        stepper._act(stepper, {"do": "search_again", "with": {"steps": 5}}, [])
        assert stepper.problem == "RuntimeError: out of memory" and not stepper.busy
        stepper.problem = ""
        stepper.set_state({"index": 5})  # another image chosen in the browser
        assert stepper.problem == "RuntimeError: out of memory" and not stepper.busy
    stepper.set_state({"index": 4, "step": 2})  # in the middle of playing
    assert stepper.problem == "" and stepper.caption.startswith(f"{stepper.names[4]}: step 2 of 4")
    stepper._act(stepper, {"do": "search_again", "with": {"steps": 5}}, [])
    assert stepper.problem == "" and stepper.steps_recorded[-1] == 5


def test_the_still_picture_shows_the_last_step(stepper):
    assert stepper.step == 0
    titles = [axes.get_title() for axes in stepper.still().axes]
    assert titles[0] == "x" and titles[1] == "G(z), step 0" and titles[5] == "G(z), step 20"
    assert titles[6] == "residual, step 20"
    shown = stepper.still().axes[6].images[0].get_array()
    assert np.abs(shown.astype(int) - tiles(stepper.runs["0"]["sheet"])[2 * len(stepper.steps_recorded)]).mean() < 8


def test_many_images_are_searched_when_they_are_shown(detector, masked_data):
    stepper = InversionStepper(detector, masked_data.test, steps=10)
    assert list(stepper.runs) == ["0"]
    stepper.index = 30
    assert list(stepper.runs) == ["0", "30"]
    alone = detector.invert(masked_data.test[30:31], steps=10)
    assert stepper.runs["30"]["residual"][0][-1] == pytest.approx(float(alone.residual[0]), rel=1e-3)


def test_a_stepper_drops_what_was_seen_longest_ago(detector, masked_data, monkeypatch):
    whole = InversionStepper(detector, masked_data.test[:4], steps=10)
    size = len(whole.runs["0"]["sheet"]["data"])
    monkeypatch.setattr(stepper_module, "LIMIT", 2.5 * size)
    monkeypatch.setattr(stepper_module, "PIXELS", 16 * 16 * 5 * 2)
    stepper = InversionStepper(detector, masked_data.test[:4], steps=10)
    assert len(stepper.steps_recorded) == 11 and list(stepper.runs) == ["0", "3"]
    stepper.index = 1
    assert list(stepper.runs) == ["3", "1"]
    stepper.search_again(restarts=2)
    assert stepper.steps_recorded.tolist() == [0, 2, 4, 6, 8, 10] and list(stepper.runs) == ["1", "3"]


def test_images_of_another_shape_are_refused(detector):
    for view in (InversionStepper, ResidualOverlay):
        with pytest.raises(ValueError, match="16, 16, 3"):
            view(detector, np.zeros((2, 8, 8, 3), "float32"))
    with pytest.raises(ValueError, match="as many names"):
        InversionStepper(detector, np.zeros((2, 16, 16, 3), "float32"), names=["one"])


# ---- lambda


@pytest.mark.parametrize("score, lam, rate", [("paper", 0.0, 0.05), ("best", 0.37, 0.1), ("standardised", 1.0, 0.3)])
def test_explorer_agrees_with_a_detector_set_so(explorer, detector, masked_data, score, lam, rate):
    explorer.set_trait("score", score)
    explorer.lam, explorer.false_alarm_rate = lam, rate
    found, labels = detector.invert(masked_data.test), masked_data.test.labels
    scores = found.scores(lam, score)
    threshold = thresholds.conformal(detector.combine(detector.calibration, lam, score), rate)
    np.testing.assert_allclose(explorer.scores, scores, rtol=1e-4, atol=1e-5)
    now = explorer.outcome
    assert now["threshold"] == pytest.approx(threshold.value, rel=1e-4, abs=1e-5)
    called = scores > threshold.value
    assert (now["hit"], now["missed"]) == (called[labels == 1].sum(), (~called)[labels == 1].sum())
    assert (now["false_alarm"], now["true_normal"]) == (called[labels == 0].sum(), (~called)[labels == 0].sum())
    stain = masked_data.test.kinds == "stain"
    assert now["hit_rate_by_kind"]["stain"] == pytest.approx(called[stain].mean(), abs=1e-6)
    assert now["auroc"] == pytest.approx(metrics.auroc(labels, scores), abs=1e-6)
    assert np.all(np.diff(explorer.scores[explorer.ranking]) <= 0)
    assert f"{now['hit']} of 30 anomalous images found" in explorer.caption


def test_explorer_sends_its_lambdas(explorer):
    assert explorer.about["lams"] == pytest.approx(np.linspace(0, 1, 101))
    counts = np.frombuffer(explorer.tables["counts"], "int32")
    shape = [len(explorer.about[name]) for name in ("scores", "lams", "rates")]
    assert np.all(counts.reshape(*shape, 4).sum(axis=-1) == 50)


def test_explorers_still_shows_its_figures(explorer):
    distributions, roc, over_lambda = explorer.still().axes
    (threshold,) = [line for line in distributions.lines if line.get_label().startswith("threshold")]
    assert threshold.get_xdata()[0] == pytest.approx(explorer.outcome["threshold"])
    assert over_lambda.lines[-1].get_xdata()[0] == explorer.lam and over_lambda.get_ylabel() == "AUROC"
    assert distributions.get_xlabel() == "anomaly score" and roc.get_xlabel() == "false-alarm rate"


def test_explorer_refuses_what_it_has_no_figures_for(explorer, detector, masked_data):
    for name, value in (("lam", 1.5), ("score", "worst"), ("false_alarm_rate", 0.07), ("selected", 50)):
        with pytest.raises(ValueError, match="Received"):
            setattr(explorer, name, value)
    assert min(explorer.about["rates"]) >= 1 / 41  # 40 calibration images
    with pytest.raises(ValueError, match="one of each"):
        LambdaExplorer(detector, masked_data.test[:20])
    with pytest.raises(ValueError, match="prediction"):
        LambdaExplorer(detector, masked_data.test, detector.invert(masked_data.test[:3]))
    bare = AnoGAN(detector.gan, steps=2)
    with pytest.raises(ValueError, match="calibrate"):
        LambdaExplorer(bare, masked_data.test)


def test_a_thousand_images_stay_under_five_megabytes():
    """Blocks of noise at the size of the detectors in weights, which hardly any picture format makes smaller."""
    rng = np.random.default_rng(1)
    images = rng.uniform(-1, 1, (1000, 16, 16, 3)).repeat(4, axis=1).repeat(4, axis=2).astype("float32")
    detector = AnoGAN(DCGAN((64, 64, 3), latent_dim=4, width=4, seed=0), score="best", steps=0)
    detector.standardise(images[:20]).calibrate(images[:20], false_alarm_rate=0.1)
    losses = {name: rng.uniform(1, 2, 1000) for name in detector.calibration}
    maps, each_image = np.abs(images - images[::-1]).mean(axis=3), np.ones(1000)
    found = Prediction(each_image, each_image, each_image > 2, maps, each_image, each_image, images[::-1], losses)
    split = Split(images, labels=np.arange(1000) % 2)
    assert sent(LambdaExplorer(detector, split, found)) < 5_000_000
    assert sent(ResidualOverlay(detector, split, found)) < 5_000_000
    assert sent(InversionStepper(detector, split, steps=20, restarts=2)) < 5_000_000


def sent(view) -> int:
    """Bytes that the browser is sent of a view's state."""

    def size(value):
        if isinstance(value, bytes):
            return len(value)
        if isinstance(value, dict):
            return sum(map(size, value.values()))
        return len(json.dumps(value, default=str))

    return sum(size(value) for value in view.get_state().values())


def test_a_selected_image_opens_in_a_linked_stepper(explorer, detector, masked_data):
    import ipywidgets

    stepper = InversionStepper(detector, masked_data.test, steps=10)
    ipywidgets.link((explorer, "selected"), (stepper, "index"))
    explorer.selected = 1
    assert stepper.index == 1 and "1" in stepper.runs


def test_searching_again_differs_from_weighing_again(explorer, detector, masked_data):
    explorer.score, explorer.lam = "standardised", 0.0
    found = explorer.search_again(steps=4)
    again = detector.invert(masked_data.test, steps=4, lam=0.0, score="standardised")
    np.testing.assert_allclose(found["scores"], again.scores(), rtol=1e-3, atol=1e-4)
    once = detector.invert(masked_data.test, steps=4, lam=0.5, score="standardised")
    np.testing.assert_allclose(found["reweighted"], once.scores(0.0), rtol=1e-3, atol=1e-4)
    assert found["auroc"] == pytest.approx(metrics.auroc(masked_data.test.labels, again.scores()), abs=0.01)
    assert np.max(np.abs(np.subtract(found["scores"], found["reweighted"]))) > 1e-3


# ---- the residual over its image


def test_overlay_describes_the_map_of_the_prediction(overlay, detector, masked_data):
    maps = detector.predict(masked_data.test).maps
    overlay.index, overlay.pixel = 31, [6, 7]
    described = float(re.search(r"residual ([\d.]+)", overlay.caption)[1])
    assert described == pytest.approx(min(maps[31, 7, 6], detector.map_scale), abs=detector.map_scale / 500)
    assert "in the true defect" in overlay.caption
    overlay.pixel = [0, 0]
    assert "in the true defect" not in overlay.caption
    overlay.cutoff = 0.5 * detector.map_scale
    above = float(re.search(r"([\d.]+) % of the pixels", overlay.caption)[1])
    assert above == pytest.approx(100 * (maps[31] >= overlay.cutoff).mean(), abs=1)


def test_beyond_the_last_colour_a_pixel_has_so_much_or_more(detector, masked_data):
    some = masked_data.test[:2]
    found = detector.predict(some)
    found.maps[0, 3, 5], found.maps[0, 3, 6] = 1.5 * detector.map_scale, 0.5 * detector.map_scale
    view = ResidualOverlay(detector, some, found)
    view.pixel = [5, 3]
    assert f"residual {overlay_module.number(view.top)} or more," in view.caption
    view.pixel = [6, 3]
    assert "or more" not in view.caption


@pytest.mark.parametrize("calibrated", [False, True])
def test_overlay_shows_map_and_scale_of_the_detectors_score(calibrated, masked_data):
    """Under score="best", standardised but not calibrated, and with an Inversion handed in."""
    made = AnoGAN(DCGAN(masked_data.image_shape, latent_dim=4, width=4, seed=0), steps=2, score="best")
    made.standardise(masked_data.validation)
    if calibrated:
        made.calibrate(masked_data.calibration, false_alarm_rate=0.1)
    found = made.invert(masked_data.test)
    levels = np.rint(np.clip(made.maps(found) / made.map_scale, 0, 1) * 255)
    assert np.abs(found.maps() - made.maps(found)).max() > 0.1  # the residual |x - G(z)| is another map
    for view in (ResidualOverlay(made, masked_data.test, found), ResidualOverlay(made, masked_data.test)):
        assert view.top == pytest.approx(made.map_scale)
        np.testing.assert_allclose(tiles(view.sheets["maps"]), levels, atol=1)
    assert "called" not in ResidualOverlay(made, masked_data.test, found).caption  # its search may be another one
    assert ("called" in ResidualOverlay(made, masked_data.test).caption) == calibrated


def test_outlines_are_those_of_the_regions(overlay, masked_data):
    assert len(overlay.outlines) == 50 and overlay.outlines[19] == b""  # the first 20 are good
    for i in (20, 31, 49):
        lines = np.frombuffer(overlay.outlines[i], "uint16").reshape(-1, 2, 2)
        np.testing.assert_array_equal(lines - 0.5, regions.outline(masked_data.test.masks[i]))


def test_overlays_sheets_hold_images_reconstructions_maps_and_masks(overlay, masked_data):
    assert overlay.sheets["images"]["type"] == "image/png"
    np.testing.assert_array_equal(tiles(overlay.sheets["images"]), to_uint8(masked_data.test.images))
    np.testing.assert_array_equal(tiles(overlay.sheets["masks"]) > 0, masked_data.test.masks)
    assert len(overlay.palettes) == 5 and list(overlay.palettes)[-1] == "jet"
    for name in ("viridis", "magma", "cividis", "gray"):  # perceptual: lighter at every step
        colours = np.frombuffer(overlay.palettes[name], np.uint8).reshape(256, 3) @ [0.2126, 0.7152, 0.0722]
        assert np.diff(colours).min() > -1.5 and colours[-1] - colours[0] > 100


def test_overlay_refuses_what_it_cannot_show(overlay, detector, masked_data):
    wrong = {"index": 50, "colour_map": "rainbow", "view": "flip", "cutoff": -1.0, "pixel": [16, 0], "opacity": 2.0}
    for name, value in wrong.items():
        with pytest.raises(Exception, match=str(value).split(".")[0].strip("[]").split(",")[0]):
            setattr(overlay, name, value)
    with pytest.raises(ValueError, match=r"50 images.*2"):
        ResidualOverlay(detector, masked_data.test, detector.predict(masked_data.test[:2]))


def test_overlay_keeps_to_its_budget_by_coarser_pictures(detector, masked_data, monkeypatch):
    monkeypatch.setattr(overlay_module, "BUDGET", 20_000)
    view = ResidualOverlay(detector, masked_data.test)
    assert sum(len(sheet["data"]) for sheet in view.sheets.values()) <= 20_000
    assert view.sheets["maps"]["width"] < 16 and "lie above" in view.caption


def test_overlay_works_without_calibration_and_masks(detector, masked_data):
    view = ResidualOverlay(AnoGAN(detector.gan, steps=2), masked_data.test.images[:3])
    assert "called" not in view.caption and "masks" not in view.sheets


# ---- for everyone


def every_view(stepper, explorer, overlay):
    return stepper, explorer, overlay


def test_pictures_stand_beside_the_widgets(stepper, explorer, overlay):
    for view in every_view(stepper, explorer, overlay):
        bundle, _ = view._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in bundle
        picture = Image.open(io.BytesIO(bundle["image/png"]))
        assert picture.width > 300 and len(bundle["image/png"]) < 100_000
        assert "0x" not in repr(view) and repr(view) == bundle["text/plain"]


def test_exported_pages_hold_the_state_and_nothing_from_elsewhere(stepper, explorer, overlay, tmp_path):
    for view in every_view(stepper, explorer, overlay):
        page = view.export_html(tmp_path / "page.html").read_text(encoding="utf-8")
        assert not re.search(r"(src|href)=[\"']?https?:|import\(|@import|fetch\(", page)
        assert page.count("</script>") == 2  # names such as <script> end no element
        state = json.loads(re.search(r'id="state">(.*?)</script>', page, re.DOTALL)[1])["state"]
        assert state["caption"] == view.caption
        for name, value in view.get_state().items():
            if isinstance(value, dict) and "data" in value:
                assert base64.b64decode(state[name]["data"]["$bytes"]) == value["data"]


def test_scripts_share_colours_dashes_and_one_export(stepper, explorer, overlay, tmp_path):
    dashes = {"residual": [], "discrimination": [6, 4], "score": [8, 3, 2, 3], "generator": [], "discriminator": [6, 4]}
    for view in every_view(stepper, explorer, overlay):
        assert f"const DASHES = {json.dumps(dashes)};" in view._esm and view._esm.count("DASHES =") == 1
        assert f"const COLOURS = {json.dumps(pictures.COLOURS)};" in view._esm
        assert view._esm.count("export default") == 1  # which an exported page replaces
        page = view.export_html(tmp_path / "page.html").read_text(encoding="utf-8")
        assert "export default" not in page and page.count("const shown = view((v) => {") == 1
        assert page.count("shown.render(") == 1 and "$" + "esm" not in page


def test_each_can_be_linked_with_ipywidgets_controls(stepper, explorer, overlay):
    import ipywidgets

    slider = ipywidgets.FloatSlider(min=0, max=1)
    ipywidgets.link((slider, "value"), (explorer, "lam"))
    slider.value = 0.25
    assert explorer.lam == 0.25
    seen = []
    overlay.observe(lambda change: seen.append(change["new"]), "opacity")
    overlay.opacity = 0.2
    assert seen == [0.2]
    assert all(stepper.trait_metadata(name, "sync") for name in ("index", "step", "restart", "playing", "speed"))
