"""The live page, worked as a person works it: from its file, with the network off. `make test-browser` runs this."""

import json
import math
import re
import time

import numpy as np
import pytest
from PIL import Image
from test_accessible import AXE, BOXES

from anogan_lib import AnoGAN, datasets
from anogan_lib.datasets import AnomalyDataset, Split, places
from anogan_lib.datasets.images import to_uint8
from anogan_lib.evaluation import thresholds
from anogan_lib.pictures import live, live_page

READY = {"digits": ("digits-8", "digits:8"), "hazelnut": ("hazelnut", "hazelnut")}
EIGHT = [(0.5 + 0.17 * math.sin(2 * t / 20 * math.pi), 0.5 - 0.3 * math.cos(t / 20 * math.pi)) for t in range(41)]
FOUR = [[(0.38, 0.2), (0.34, 0.55), (0.68, 0.55)], [(0.6, 0.25), (0.6, 0.8)]]


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """The live pages of two ready detectors, calibrated with few images."""
    folder, made = tmp_path_factory.mktemp("live"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live_page, "CALIBRATION", 24)
        for name, (weights, spec) in READY.items():
            detector = AnoGAN.load(places.root() / "weights" / weights)
            data = datasets.load(spec, size=detector.image_shape[:2])
            made[name] = live(detector, folder / f"{name}.html", data)
        detector = AnoGAN.load(places.root() / "weights" / "mnist-8")  # MNIST may not be there: G's own eights stand in
        eights = Split(detector.gan.sample(24, seed=1))
        patch.setattr(live_page, "own_data", lambda _, data: data)
        made["mnist"] = live(detector, folder / "mnist.html", AnomalyDataset("eights", "", *4 * [eights]))
    return made


class Live:
    """The page, open in a browser."""

    def __init__(self, page, path):
        self.page, self.path, self.complaints, self.requests = page, path, [], []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("body[data-state=paused]")

    def button(self, name: str, **options):
        return self.page.get_by_role("button", name=name, **options)

    def slider(self, name: str):
        return self.page.get_by_role("slider", name=name)

    def until(self, condition) -> None:
        """Wait for it; the page's policy forbids Playwright's own way, which evaluates text."""
        for _ in range(200):
            if condition():
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"This did not come; the page says: {self.said()}")

    def full_speed(self) -> None:
        self.slider("Speed").fill("20")

    def said(self) -> str:
        return self.page.get_by_role("status").inner_text()

    def numbers(self) -> dict[str, float]:
        found = re.search(r"Step (\d+) of (\d+): R = ([\d.]+), D = ([\d.]+), A\(x\) = ([\d.]+)\.", self.said())
        return dict(zip(("step", "steps", "R", "D", "A"), map(float, found.groups()), strict=True))

    def done(self) -> dict[str, float]:
        self.page.wait_for_selector("body[data-state=done]", timeout=120_000)
        return self.numbers()

    def search(self) -> dict[str, float]:
        self.full_speed()
        self.button("Restart").click()
        return self.done()

    def rows(self) -> list[list[str]]:
        rows = self.page.locator("#ways tr").all()
        return [row.locator("th, td").all_inner_texts() for row in rows]

    def pixels(self, name: str) -> np.ndarray:
        """A canvas as (H, W, 3) uint8."""
        script = "c => [c.height, c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        height, width, *values = self.page.locator(f"#{name}").evaluate(script)
        return np.array(values, np.uint8).reshape(height, width, 4)[..., :3]

    def stroke(self, points) -> None:
        """Draw with the mouse from place to place, (x, y) as shares of the image."""
        easel = self.page.locator("#easel")
        easel.scroll_into_view_if_needed()
        box = easel.bounding_box()
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for each in places[1:]:
            self.page.mouse.move(*each, steps=4)
        self.page.mouse.up()

    def state(self) -> dict:
        return json.loads(self.page.locator("#state").inner_text() or self.page.locator("#state").text_content())


@pytest.fixture
def opened(chromium, files):
    """Opens a page by name in a context of its own, which is offline."""
    contexts = []

    def open_(name: str, script: str = "", **options) -> Live:
        context = chromium.new_context(offline=True, **{"viewport": {"width": 1200, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        if script:
            page.add_init_script(script)
        return Live(page, files[name])

    yield open_
    for context in contexts:
        for page in context.pages:
            page.close()
        context.close()


@pytest.fixture
def digits(opened):
    live = opened("digits")
    yield live
    assert live.complaints == []
    assert not [url for url in live.requests if not url.startswith(("file:", "data:", "blob:"))]


@pytest.fixture
def nut(opened):
    live = opened("hazelnut")
    yield live
    assert live.complaints == []


def test_play_pause_and_one_step(digits):
    assert digits.numbers()["step"] == 0 and "No verdict before the search is done" in digits.said()
    start = digits.pixels("generated")
    digits.button("One step").click()
    assert digits.numbers()["step"] == 1
    assert not np.array_equal(digits.pixels("generated"), start)
    digits.slider("Speed").fill("8")
    digits.button("Play").click()
    digits.until(lambda: digits.numbers()["step"] >= 3)
    digits.button("Pause").click()
    here = digits.numbers()
    assert 3 <= here["step"] < here["steps"] and digits.rows()[0][-1] == "none while it searches"
    digits.page.wait_for_timeout(400)
    assert digits.numbers() == here  # paused is paused
    label = digits.page.locator("#curves").get_attribute("aria-label")
    assert f"Step {here['step']:g} of" in label and label.startswith("Curves of R, D and A")
    digits.full_speed()
    digits.button("Play").click()
    end = digits.done()
    assert end["step"] == end["steps"] == 100 and end["A"] < here["A"]


def test_the_verdict_is_that_of_the_calibration(digits):
    """p-values and verdicts of both ways, computed again in Python from what the page keeps."""
    state = digits.state()
    for kind in ("good", "0"):
        digits.full_speed()
        digits.page.locator("#examples button").filter(has_text=kind).first.click()
        digits.done()
        for row, way in zip(digits.rows(), ("search", "encoder"), strict=True):
            r, d, a, p = map(float, row[1:5])
            normal = [
                0.5 * np.array(state["calibration"][way][name]) / unit
                for name, unit in zip(("residual", "discrimination"), state["units"], strict=True)
            ]
            assert a == pytest.approx(0.5 * r / state["units"][0] + 0.5 * d / state["units"][1], rel=1e-3)
            assert p == pytest.approx(thresholds.p_values(sum(normal), np.array([a]))[0], abs=0.0006)
            threshold = thresholds.conformal(sum(normal), state["false_alarm_rate"])
            assert row[5] == ("anomalous" if a > threshold else "normal")
        assert digits.page.get_by_role("status").locator("strong").inner_text() == f"{digits.rows()[0][5]}."
        above, count = map(int, re.search(r"(\d+) of (\d+) normal images score as much", digits.said()).groups())
        assert (above + 1) / (count + 1) == pytest.approx(float(digits.rows()[0][4]), abs=0.0006)


def test_python_finds_what_the_page_finds(digits, files):
    digits.page.locator("#examples button").first.click()
    found = digits.search()
    detector = AnoGAN.load(places.root() / "weights" / "digits-8")
    shown = digits.pixels("easel")[..., :1]
    python = detector.invert(datasets.images.from_uint8(shown)[None], init="random")
    aim = detector.weights
    assert found["A"] == pytest.approx(aim[0] * python.residual[0] + aim[1] * python.discrimination[0], rel=0.015)


def test_lambda_acts_on_the_search(digits):
    usual = digits.search()
    ends = {}
    for lam in ("0", "1"):
        digits.slider("Lambda").fill(lam)
        ends[lam] = digits.done()
        assert "No verdict: normal images were searched with lambda = 0.5" in digits.said()
        assert digits.rows()[0][-1] == "none: another lambda" and digits.rows()[1][-1] in ("normal", "anomalous")
    assert ends["0"]["R"] < ends["1"]["R"] and ends["1"]["D"] < ends["0"]["D"]
    digits.slider("Lambda").fill("0.5")
    digits.done()
    assert digits.search() == usual and "normal images score as much or more" in digits.said()


def test_lambda_moved_on_the_way_leaves_no_verdict(digits):
    digits.button("One step").click()
    digits.slider("Lambda").fill("0.9")
    digits.button("One step").click()
    digits.slider("Lambda").fill("0.5")
    digits.full_speed()
    digits.button("Play").click()
    digits.done()
    assert digits.rows()[0][-1] == "none: another lambda"


def test_another_z_and_several_starts(digits):
    first = digits.search()
    digits.button("Another random z").click()
    digits.done()
    assert "normal images were searched from another z" in digits.said()
    assert digits.rows()[0][-1] == "none: another first z"
    assert digits.search() == first  # the same start, the same end
    digits.page.get_by_label("Starts").select_option("4")
    digits.done()
    assert digits.numbers() == first
    starts = digits.page.locator("#walks button")
    assert starts.count() == 4
    scores = [float(re.search(r"A\(x\) = ([\d.]+)", each.get_attribute("aria-label"))[1]) for each in starts.all()]
    assert len(set(scores)) > 1
    starts.nth(1).click()
    assert digits.numbers()["A"] == scores[1] and digits.rows()[0][-1] == "none: another first z"


def test_an_eight_and_a_four_drawn_with_the_mouse(opened):
    live, scores = opened("mnist"), {}
    live.full_speed()
    for name, strokes in (("8", [EIGHT]), ("4", FOUR)):
        live.button(re.compile("empty")).click()
        for points in strokes:
            live.stroke(points)
        live.button("Centre and scale").click()
        scores[name] = live.done()["A"]
        rows = np.flatnonzero((live.pixels("easel")[..., 0] > 64).any(axis=1))
        assert abs(rows[-1] - rows[0] + 1 - live.state()["usual"]["side"]) <= 3
    print(f"\ndrawn with the mouse: A = {scores['8']} for an 8, {scores['4']} for a 4")
    assert scores["4"] > 1.5 * scores["8"] and live.complaints == []


def test_a_scratch_on_a_nut(nut):
    nut.page.locator("#examples button").nth(1).click()
    nut.full_speed()
    before, clean = nut.done(), nut.pixels("left").astype(int).sum(axis=-1)
    nut.stroke([(0.4, 0.45), (0.6, 0.55)])
    after, left = nut.done(), nut.pixels("left").astype(int).sum(axis=-1)
    assert after["R"] > 1.1 * before["R"] and after["A"] > before["A"]
    drawn = (nut.pixels("easel") == [240, 216, 176]).all(axis=-1)
    assert 10 < drawn.sum() < 200
    assert np.mean(left[drawn]) > 3 * np.mean(clean[drawn]) and np.mean(left[drawn]) > 3 * np.mean(left[~drawn])
    nut.button("Undo").click()
    assert nut.done() == before
    nut.stroke([(0.4, 0.45), (0.6, 0.55)])
    nut.page.get_by_label("Erase").check()
    nut.slider("Brush").fill("12")
    nut.stroke([(0.38, 0.44), (0.62, 0.56)])
    assert nut.done() == pytest.approx(before, rel=0.02)  # what was there comes back, but for rounding at the edges


def test_everything_by_keyboard(digits):
    """Tab comes to each control; arrow keys draw."""
    page, seen = digits.page, set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert {"file", "easel", "play", "step", "restart", "random", "starts", "speed", "lam"} <= seen
    assert {"brush", "colour", "erase", "clear", "fit"} <= seen
    digits.full_speed()
    before = digits.pixels("easel")
    digits.page.locator("#easel").focus()
    page.keyboard.down("Shift")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.keyboard.up("Shift")
    digits.done()
    assert (digits.pixels("easel") != before).any(axis=-1).sum() >= 8
    page.keyboard.press("ArrowUp")  # without Shift the brush moves and draws nothing
    page.keyboard.press("Space")
    digits.done()
    digits.button("Undo").click()
    digits.button("Undo").click()
    assert np.array_equal(digits.pixels("easel"), before)
    digits.done()
    digits.page.locator("#play").focus()
    page.keyboard.press("Enter")
    digits.done()


def test_a_finger_draws(opened):
    live = opened("digits", has_touch=True)
    before, easel = live.pixels("easel"), live.page.locator("#easel")
    easel.scroll_into_view_if_needed()
    box = easel.bounding_box()
    live.page.touchscreen.tap(box["x"] + 20, box["y"] + 20)
    assert 1 <= (live.pixels("easel") != before).any(axis=-1).sum() < 60


def test_a_coloured_image_is_shown_in_grey_where_the_search_sees_grey(digits, tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (32, 32, 3), "uint8")
    Image.fromarray(colours).save(tmp_path / "own.png")
    digits.full_speed()
    digits.page.get_by_label("Open a file").set_input_files(tmp_path / "own.png")
    digits.done()
    grey = np.asarray(Image.fromarray(colours).convert("L"), int)[..., None]
    assert np.abs(digits.pixels("easel").astype(int) - grey).max() <= 1
    digits.page.get_by_label("Colour").fill("#ff0000")
    digits.stroke([(0.3, 0.5), (0.7, 0.5)])
    digits.done()
    assert np.ptp(digits.pixels("easel").astype(int), axis=-1).max() == 0
    digits.button("Clear").click()
    digits.done()
    assert np.abs(digits.pixels("easel").astype(int) - grey).max() <= 1


def test_an_image_of_ones_own(nut, tmp_path):
    own = datasets.load("hazelnut", size=64).test.images[0]
    Image.fromarray(to_uint8(own)).save(tmp_path / "own.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "own.png").read_bytes()[:40])
    nut.full_speed()
    nut.page.get_by_label("Open a file").set_input_files(tmp_path / "torn.png")
    alert = nut.page.get_by_role("alert")
    alert.filter(has_text="torn.png is no image that this browser can read.").wait_for()
    nut.page.get_by_label("Open a file").set_input_files(tmp_path / "own.png")
    nut.done()
    assert alert.inner_text() == "" and np.array_equal(nut.pixels("easel"), to_uint8(own))
    dropped = (tmp_path / "own.png").read_bytes()
    nut.page.locator("#examples button").nth(3).click()
    assert nut.page.get_by_label("Open a file").input_value() == ""  # it names no image that is not shown
    nut.page.evaluate(
        """bytes => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([new Uint8Array(bytes)], "own.png", { type: "image/png" }));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        list(dropped),
    )
    nut.until(lambda: nut.page.locator("#examples [aria-pressed=true]").count() == 0)
    assert np.array_equal(nut.pixels("easel"), to_uint8(own))


@pytest.mark.parametrize("name", ["mnist", "hazelnut"])  # 28x28 and 64x64
def test_without_webassembly_it_is_slower_and_the_same(opened, name):
    ends = {}
    for script in ("", "delete globalThis.WebAssembly"):
        live = opened(name, script)
        live.full_speed()
        began = time.perf_counter()
        live.button("Play").click()
        ends[script] = live.done()
        took = time.perf_counter() - began
        note = live.page.locator("#speed-note").inner_text()
        assert ("without WebAssembly" in note) == bool(script)
        print(f"\n{name}: 100 steps in {took:.1f} s. {note}")
        assert live.complaints == []
    assert ends[""]["A"] == pytest.approx(ends["delete globalThis.WebAssembly"]["A"], rel=0.015)


@pytest.mark.parametrize("width", [480, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["digits", "hazelnut"])
def test_for_everyone(opened, name, scheme, width):
    live = opened(name, color_scheme=scheme, viewport={"width": width, "height": 900})
    live.page.get_by_label("Starts").select_option("4")
    live.full_speed()
    live.done()
    live.page.evaluate(AXE)
    found = live.page.evaluate("async () => (await axe.run()).violations.map(v => [v.id, v.nodes.map(n => n.html)])")
    assert found == []
    assert live.page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = live.page.locator("main").evaluate(BOXES)
    clipped = live.page.locator("figcaption").evaluate_all(
        "all => all.filter(one => one.scrollWidth > one.clientWidth)"
    )
    assert clipped == []
    assert boxes["count"] > 20 and boxes["wider"] <= 0 and boxes["out"] == [] and boxes["over"] == []


def test_names_run_nothing(chromium, masked_detector, masked_data, tmp_path):
    masked_data.name, masked_data.description = "</title><script>alert(1)</script>", "<img src=x onerror=alert(2)>"
    context = chromium.new_context(offline=True)
    page = Live(context.new_page(), live(masked_detector, tmp_path / "live.html", masked_data))
    assert page.page.get_by_role("heading", level=1).inner_text() == f"AnoGAN live: {masked_data.name}"
    assert page.page.get_by_text("<b>spot</b>").count() > 0 and page.page.locator("img, b").count() == 0
    page.search()
    assert page.complaints == []
    context.close()
