"""Training, the residual, walks and painted defects, worked as a person works them, in the notebooks that show them."""

import re

import pytest
from laboratory import notebook
from test_views_in_browser import CANVAS, agrees, caption, drag


def waited(book, view, words: str, patience: float = 120_000) -> str:
    """The caption, once it holds these words."""
    view.get_by_role("status").filter(has_text=re.compile(words)).wait_for(timeout=patience)
    return caption(view)


def letters_do_nothing_to_the_cells(book) -> None:
    before = book.count()
    for key in "abcxmydd":
        book.page.keyboard.press(key)
    assert book.count() == before


# ---- dcgan_training


@pytest.fixture(scope="module")
def training(lab, chromium):
    """The notebook on training; one of its cells waits until the training is done."""
    book = lab.open(chromium, notebook("dcgan_training"))
    book.run(wait=False)
    yield book, book.view("Training of the DCGAN")
    assert book.complaints == []
    book.close()


def test_stop_is_heard_while_a_cell_runs_and_the_weights_go_on(training):
    book, view = training
    stop, pictures = view.get_by_role("button", name="Stop"), view.locator("canvas")
    waited(book, view, r"^Step (1\d|[2-9]\d|1\d\d) of")  # in the middle, after the first epoch
    status = "jupyterapp.shell.currentWidget.sessionContext.session.kernel.status"
    assert book.page.evaluate(status) == "busy"  # with the cell that waits
    early = [pictures.nth(i).evaluate(CANVAS) for i in range(3)]
    stop.click()
    said = waited(book, view, "Stopped after step", 20_000)
    done, planned = map(int, re.search(r"step (\d+) of (\d+); the weights are kept", said).groups())
    assert 10 <= done < planned == 192
    last = book.page.locator(".jp-CodeCell").last.locator(".jp-InputPrompt")
    book._until(lambda: any(c.isdigit() for c in last.inner_text()))  # the cells after it have run
    whole = (done - 1) // 8  # epochs: one that is stopped is none, be it at its last step
    assert book.ask("print(int(gan.steps_done), len(history.d_loss), monitor.running)") == f"{done} {whole} False"
    agrees(book, view, "monitor")
    book.ask("kept = gan.sample(2)")

    view.get_by_role("button", name="Go on").click()
    waited(book, view, rf"^Step (?!{done} )\d+ of {done + 192 - 8 * whole} ")
    assert not view.get_by_role("button", name="Go on").is_enabled()
    stop.click()
    waited(book, view, "Stopped after step", 20_000)
    assert int(book.ask("print(int(gan.steps_done))")) > done
    assert book.ask("print(np.allclose(kept, gan.sample(2)))") == "False"  # it learned on
    assert all(pictures.nth(i).evaluate(CANVAS) != picture for i, picture in enumerate(early))


def test_the_trainings_buttons_by_keyboard(training):
    book, view = training
    view.get_by_role("button", name="Go on").focus()
    letters_do_nothing_to_the_cells(book)
    book.page.keyboard.press("Enter")
    waited(book, view, "^Step")
    view.get_by_role("button", name="Stop").focus()
    book.page.keyboard.press("Space")
    waited(book, view, "Stopped after step", 20_000)


# ---- visualization: residual, walk, painter


@pytest.fixture(scope="module")
def pictures(lab, chromium):
    book = lab.open(chromium, notebook("visualization"))
    book.run()
    yield book
    assert book.complaints == []
    book.close()


@pytest.fixture
def residual(pictures):
    return pictures, pictures.view("Residual over the image")


def test_opacity_cut_off_colours_and_outline_change_the_picture(residual):
    book, view = residual
    picture, seen = view.locator("canvas").first, set()
    drag(book.page, view.get_by_role("slider", name="Cut-off", exact=True), 0.2)
    for act in (
        lambda: drag(book.page, view.get_by_role("slider", name="Opacity", exact=True), 0.0),
        lambda: drag(book.page, view.get_by_role("slider", name="Opacity", exact=True), 1.0),
        lambda: drag(book.page, view.get_by_role("slider", name="Cut-off", exact=True), 0.5),
        lambda: view.get_by_role("combobox", name="Colours", exact=True).select_option(label="jet"),
        lambda: view.get_by_role("combobox", name="Colours", exact=True).select_option(label="viridis"),
        lambda: view.get_by_role("checkbox", name="Outline of the true defect", exact=True).uncheck(),
        lambda: view.get_by_role("combobox", name="View", exact=True).select_option(label="side by side"),
        lambda: view.get_by_role("combobox", name="View", exact=True).select_option(label="swipe"),
        lambda: drag(book.page, view.get_by_role("slider", name="Swipe", exact=True), 0.9),
    ):
        act()
        seen.add(picture.evaluate(CANVAS))
    assert len(seen) == 9
    assert "viridis, opacity 100 %" in caption(view)
    agrees(book, view, "residual")
    view.get_by_role("combobox", name="View", exact=True).select_option(label="overlay")


def test_cut_off_leaves_fewer_pixels(residual):
    book, view = residual
    above = []
    for share in (0.0, 0.3, 0.6):
        drag(book.page, view.get_by_role("slider", name="Cut-off", exact=True), share)
        above.append(float(re.search(r"([\d.]+) % of the pixels", caption(view))[1]))
    assert above[0] == 100 and above[0] > above[1] > above[2]


def test_pointer_and_arrow_keys_describe_a_pixel(residual):
    book, view = residual
    cells, picture = book.count(), view.locator("canvas").first
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    book.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    x, y = map(int, re.search(r"Pixel (\d+), (\d+)", caption(view)).groups())
    book.page.mouse.move(5, 5)
    picture.focus()
    book.page.keyboard.press("ArrowRight")
    book.page.keyboard.press("ArrowDown")
    for key in "abxm":
        book.page.keyboard.press(key)
    assert f"Pixel {x + 1}, {y + 1}: residual" in caption(view) and book.count() == cells
    agrees(book, view, "residual")


def test_another_image_needs_no_kernel(residual):
    book, view = residual
    image = view.get_by_role("combobox", name="Image", exact=True)
    names = image.locator("option").all_inner_texts()
    with book.busy():
        for i in (0, len(names) - 1):
            image.select_option(index=i)
            assert caption(view).startswith(f"{names[i]}: score")
    agrees(book, view, "residual")


@pytest.fixture
def walk(pictures):
    view = pictures.view("Walk through latent space")
    view.get_by_role("button", name="Back to the start").click()
    return pictures, view


AHEAD = """
def others(position, between, mix):
    return [list(between), mix if {c!r} != "mix" else 0, [x for i, x in enumerate(position) if i != {c!r}]]
a = walk.ahead
now = others(walk.position, walk.between, walk.mix)
print(a.get("control") == {c!r} and others(a["position"], a["between"], a["mix"]) == now)
"""


def prepared(book, view, name: str):
    """A slider in hand: focused, and its pictures computed ahead."""
    slider = view.get_by_role("slider", name=re.compile(name))
    slider.focus()
    control = "mix" if name == "On the way" else int(name[-1]) - 1
    book._until(lambda: book.ask(AHEAD.format(c=control)) == "True", 60)
    book.page.wait_for_timeout(500)
    return slider


def test_a_direction_is_walked_and_the_picture_follows(walk):
    book, view = walk
    picture = view.locator("canvas").first
    slider = prepared(book, view, "Direction 1")
    seen = [picture.evaluate(CANVAS)]
    for share in (0.75, 1.0, 0.0):
        drag(book.page, slider, share)
        agrees(book, view, "walk")
        seen.append(picture.evaluate(CANVAS))
    assert len(set(seen)) == 4
    assert "moved -3.00 along direction 1" in caption(view)
    assert book.ask("print(walk.position[0])") == "-3.0"
    book.ask("walk.position = [0, 2, 0, 0, 0, 0]")  # and from Python
    assert "+2.00 along direction 2" in waited(book, view, "along direction 2")


def test_from_one_image_to_another(walk):
    book, view = walk
    view.get_by_role("combobox", name="From").select_option(index=3)
    view.get_by_role("combobox", name="To").select_option(index=9)
    waited(book, view, r"image 3 \(good\)")
    slider = prepared(book, view, "On the way")
    book.page.keyboard.press("End")
    assert "G(z) at image 9 (good)" in caption(view)
    book.page.keyboard.press("Home")
    assert "G(z) at image 3 (good)" in caption(view)
    for _ in range(20):
        book.page.keyboard.press("ArrowRight")
    assert "50 % of the way from image 3 (good) to image 9 (good)" in caption(view)
    assert slider.get_attribute("aria-valuetext") == "50 %"
    letters_do_nothing_to_the_cells(book)
    agrees(book, view, "walk")
    drag(book.page, view.get_by_role("slider", name="Spread around"), 1.0)
    assert "samples at 100 %" in waited(book, view, "100 % of the prior")


def test_a_slider_in_hand_is_answered_by_the_browser_alone(walk):
    book, view = walk
    picture = view.locator("canvas").first
    prepared(book, view, "Direction 2")
    seen = []
    with book.busy():
        for _ in range(15):
            book.page.keyboard.press("ArrowRight")
            seen.append(picture.evaluate(CANVAS))
        assert len(set(seen)) == 15 and "+2.25 along direction 2" in caption(view)
    agrees(book, view, "walk")


@pytest.fixture
def painter(pictures):
    view = pictures.view("Draw a defect")
    view.get_by_role("button", name="Clear").click()
    waited(pictures, view, "Nothing is drawn")
    easel = view.get_by_role("application")
    easel.scroll_into_view_if_needed()
    return pictures, view, easel


def stroke(page, easel, *places) -> None:
    """Draw from place to place, (x, y) as shares of the image."""
    box = easel.bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()


def test_a_scratch_is_painted_and_found(painter):
    book, view, easel = painter
    colour = view.get_by_label("Colour")
    colour.fill("#f0d8b0")
    clean = easel.evaluate(CANVAS)
    stroke(book.page, easel, (0.3, 0.45), (0.6, 0.55), (0.65, 0.6))
    said = waited(book, view, r"[1-9]\d+ pixels drawn")
    assert "anomalous" in said and int(re.search(r"(\d+) % of them found", said)[1]) > 60
    assert easel.evaluate(CANVAS) != clean
    drawn = "print(painter.answer['drawn'], painter.answer['verdict'], painter.rgba[..., :3].max(axis=(0, 1)).tolist())"
    assert book.ask(drawn) == f"{said.split()[0]} anomalous [240, 216, 176]"
    agrees(book, view, "painter")
    stroke(book.page, easel, (0.4, 0.7), (0.6, 0.7))
    waited(book, view, rf"^(?!{said.split()[0]} )\d+ pixels drawn")
    view.get_by_role("button", name="Undo").click()
    assert waited(book, view, rf"^{said.split()[0]} pixels drawn") == said
    view.get_by_role("button", name="Undo").click()
    waited(book, view, "Nothing is drawn")


def test_arrows_while_space_is_held_draw_a_stroke(painter):
    book, view, easel = painter
    easel.focus()
    book.page.keyboard.down("Space")
    book.page.keyboard.press("ArrowRight")
    book.page.keyboard.up("Space")
    assert waited(book, view, "pixels drawn", 20_000).startswith("12 pixels drawn")


def test_brush_eraser_and_keyboard(painter):
    book, view, easel = painter
    cells, brush = book.count(), view.get_by_role("slider", name="Brush")
    easel.focus()
    book.page.keyboard.press("Space")
    spot = int(waited(book, view, "pixels drawn").split()[0])
    book.page.keyboard.down("Shift")
    for _ in range(12):
        book.page.keyboard.press("ArrowLeft")
    book.page.keyboard.up("Shift")
    line = int(waited(book, view, rf"^(?!{spot} )\d+ pixels drawn").split()[0])
    assert 9 == spot < line == spot + 3 * 12
    brush.focus()
    book.page.keyboard.press("End")
    assert brush.get_attribute("aria-valuetext") == "16 pixels"
    view.get_by_role("checkbox", name="Erase").check()
    easel.focus()
    book.page.keyboard.press("Space")
    waited(book, view, rf"^(?!{line} )\d+ pixels drawn|Nothing")
    assert book.ask("print(painter.erase, painter.brush)") == "True 16"
    view.get_by_role("checkbox", name="Erase").uncheck()
    brush.focus()
    book.page.keyboard.press("Home")
    opacity, before = view.get_by_role("slider", name="opacity"), easel.evaluate(CANVAS)
    opacity.focus()
    book.page.keyboard.press("End")
    assert easel.evaluate(CANVAS) != before
    easel.focus()
    letters_do_nothing_to_the_cells(book)
    assert book.count() == cells
