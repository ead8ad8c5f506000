"""The search and lambda, worked as a person works them, in the notebooks that show them; pages without a kernel."""

import re
import time

import pytest
from laboratory import SET_UP, VIEWS, Notebook, notebook

CANVAS = "canvas => canvas.toDataURL()"
SEARCH, LAMBDA = notebook("latent_inverse_mapping"), notebook("scores_and_thresholds")


@pytest.fixture(scope="module")
def opened(lab, chromium):
    """Opens a notebook and runs it whole, once for this file; one kernel at a time."""
    books: dict[str, Notebook] = {}

    def open(name: str) -> Notebook:
        if name not in books:
            if books:
                list(books.values())[-1].close()
            books[name] = lab.open(chromium, name)
            books[name].run()
        return books[name]

    open.books = books
    yield open
    list(books.values())[-1].close()


@pytest.fixture
def search(opened):
    book = opened(SEARCH)
    return book, book.view("Search for z, step by step")


@pytest.fixture
def last(search):
    """The last step's number, and of how many it is."""
    steps = search[0].ask("print(stepper.steps_recorded[-1])")
    return f"step {steps} of {steps}"


@pytest.fixture
def lambdas(opened):
    book = opened(LAMBDA)
    return book, book.view("Lambda and threshold explorer")


def caption(view) -> str:
    return view.get_by_role("status").inner_text()


def agrees(book, view, name: str) -> None:
    """Browser and Python say the same, once what was moved has come to rest."""
    for _ in range(50):
        if book.ask(f"print({name}.caption)") == caption(view):
            return
        time.sleep(0.1)
    assert book.ask(f"print({name}.caption)") == caption(view)


def drag(page, slider, to: float) -> None:
    """Take the handle of a range where it is, and draw it to a share of its length."""
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    at = slider.evaluate("s => (s.value - s.min) / (s.max - s.min)")
    handle = 16

    def place(share):
        return box["x"] + handle / 2 + share * (box["width"] - handle), box["y"] + box["height"] / 2

    page.mouse.move(*place(at))
    page.mouse.down()
    page.mouse.move(*place((at + to) / 2))
    page.mouse.move(*place(to))
    page.mouse.up()


# ---- latent_inverse_mapping: the search


def test_dragging_through_the_search_changes_pictures_curves_and_words(search, last):
    book, view = search
    slider, canvases = view.get_by_role("slider", name="Search step", exact=True), view.locator("canvas")
    drag(book.page, slider, 0.0)
    first = [canvases.nth(i).evaluate(CANVAS) for i in (0, 1)]
    assert "step 0 of" in caption(view)
    drag(book.page, slider, 1.0)
    assert last in caption(view)
    assert all(canvases.nth(i).evaluate(CANVAS) != picture for i, picture in enumerate(first))
    agrees(book, view, "stepper")


def test_buttons_play_pause_and_step(search, last):
    book, view = search
    view.get_by_role("button", name="First step").click()
    view.get_by_role("button", name="One step on").click()
    second = re.search(r"step (\d+) of", caption(view))[1]
    view.get_by_role("button", name="One step back").click()
    assert "step 0 of" in caption(view)
    view.get_by_role("button", name="Play the search").click()
    book.page.wait_for_function("second => document.body.innerText.includes(`step ${second} of`)", arg=second)
    view.get_by_role("button", name="Pause the search").click()
    here = caption(view)
    book.page.wait_for_timeout(700)
    assert caption(view) == here
    view.get_by_role("button", name="Last step").click()
    assert last in caption(view)
    drag(book.page, view.get_by_role("slider", name="Speed", exact=True), 1.0)
    view.get_by_role("button", name="Play the search").click()  # from the end it begins again, and ends by itself
    view.get_by_role("button", name="Play the search").wait_for()
    assert last in caption(view)
    agrees(book, view, "stepper")


def test_keys_move_the_search_and_never_the_cells(search, last):
    book, view = search
    cells, slider = book.count(), view.get_by_role("slider", name="Search step", exact=True)
    slider.focus()
    book.page.keyboard.press("Home")
    assert "step 0 of" in caption(view)
    book.page.keyboard.press("ArrowRight")
    assert "step 0 of" not in caption(view)
    book.page.keyboard.press("End")
    assert last in caption(view)
    for key in "abcdxyzmfoj":
        book.page.keyboard.press(key)
    assert "step 0 of" in caption(view)  # f: first
    assert view.get_by_role("button", name="First step").get_attribute("title") == "First step (key f)"
    book.page.keyboard.press("n")
    assert "step 0 of" not in caption(view)
    view.get_by_role("button", name="Play the search").focus()
    for key in "abcxm":
        book.page.keyboard.press(key)
    assert book.count() == cells
    agrees(book, view, "stepper")


def test_images_and_starts_are_chosen(search):
    book, view = search
    view.get_by_role("combobox", name="Image", exact=True).select_option(label="good")
    assert caption(view).startswith("good")
    view.get_by_role("combobox", name="Start", exact=True).select_option(label="3")
    assert "random start 3" in caption(view)
    agrees(book, view, "stepper")
    book.ask("stepper.restart = 0")  # and from Python to the browser
    book.page.wait_for_function("document.body.innerText.includes('random start 1')")


def test_searching_again_with_other_settings(search):
    book, view = search
    view.get_by_role("button", name="Last step").click()  # the next search has fewer
    view.locator("summary").click()
    view.get_by_role("spinbutton", name="Steps", exact=True).fill("30")
    view.get_by_role("spinbutton", name="Lambda", exact=True).fill("0.9")
    view.get_by_role("spinbutton", name="Starts", exact=True).fill("1")
    view.get_by_role("button", name="Search again").click()
    book.page.wait_for_function("/of 30, random start\\./.test(document.body.innerText)", timeout=120_000)
    assert "at lambda 0.9" in caption(view)
    assert book.ask("print(stepper.settings['steps'], stepper.settings['lam'])") == "30 0.9"
    view.get_by_role("spinbutton", name="Steps", exact=True).fill("0")
    view.get_by_role("button", name="Search again").click()
    view.get_by_text("steps is a whole number, at least 1").wait_for()
    view.get_by_role("spinbutton", name="Steps", exact=True).fill("100")
    view.get_by_role("button", name="Search again").click()
    book.page.wait_for_function("/of 100, random start\\./.test(document.body.innerText)", timeout=120_000)
    assert view.get_by_role("alert").inner_text() == ""


def test_stepping_goes_on_while_the_kernel_is_busy(search):
    book, view = search
    with book.busy():
        drag(book.page, view.get_by_role("slider", name="Search step", exact=True), 0.0)
        assert "step 0 of" in caption(view)
        view.get_by_role("button", name="One step on").click()
        assert "step 0 of" not in caption(view)
        drag(book.page, view.get_by_role("slider", name="Search step", exact=True), 1.0)
        assert "step 0 of" not in caption(view)
    agrees(book, view, "stepper")  # it is told when it has time


# ---- scores_and_thresholds: lambda


def test_dragging_lambda_moves_threshold_counts_and_ranking(lambdas):
    book, view = lambdas
    view.get_by_role("combobox", name="Score", exact=True).select_option(label="best")
    slider, canvases = view.get_by_role("slider", name="Lambda", exact=True), view.locator("canvas")
    drag(book.page, slider, 0.0)
    before = caption(view), view.locator("table").inner_text(), [c.evaluate(CANVAS) for c in canvases.all()[:4]]
    drag(book.page, slider, 1.0)
    after = caption(view), view.locator("table").inner_text(), [c.evaluate(CANVAS) for c in canvases.all()[:4]]
    assert "Lambda 0," in before[0] and "Lambda 1," in after[0]
    thresholds = [float(re.search(r"threshold (-?[\d.]+)\.", said)[1]) for said in (before[0], after[0])]
    assert thresholds[0] != thresholds[1] and before[1] != after[1]
    assert all(a != b for a, b in zip(before[2], after[2], strict=True))  # distributions, curves, kinds, gallery
    agrees(book, view, "explorer")


def test_false_alarm_rate_and_score(lambdas):
    book, view = lambdas
    rate = view.get_by_role("slider", name="False-alarm rate", exact=True)
    found = []
    for share in (0.0, 0.5, 1.0):
        drag(book.page, rate, share)
        found.append(int(re.search(r"(\d+) of \d+ anomalous", caption(view))[1]))
    assert found == sorted(found) and found[0] < found[-1]
    for score in ("paper", "standardised", "best"):
        view.get_by_role("combobox", name="Score", exact=True).select_option(label=score)
        assert f", {score} score," in caption(view)
        agrees(book, view, "explorer")


def test_keys_move_lambda_and_never_the_cells(lambdas):
    book, view = lambdas
    cells = book.count()
    view.get_by_role("slider", name="Lambda", exact=True).focus()
    book.page.keyboard.press("Home")
    for _ in range(3):
        book.page.keyboard.press("ArrowRight")
    assert "Lambda 0.03," in caption(view)
    for key in "abcdxm":
        book.page.keyboard.press(key)
    book.page.keyboard.press("End")
    assert "Lambda 1," in caption(view) and book.count() == cells
    agrees(book, view, "explorer")


@pytest.fixture
def pair(lab, chromium):
    """A notebook in which a stepper is linked to the explorer's gallery."""
    beside = "import ipywidgets\nstepper = widgets.InversionStepper(detector, data.test, steps=30)\n"
    beside += "ipywidgets.link((explorer, 'selected'), (stepper, 'index'))\nstepper"
    book = lab.open(chromium, lab.write("pair.ipynb", [SET_UP, VIEWS["LambdaExplorer"], beside]))
    book.run()
    yield book, book.view("Lambda and threshold explorer")
    book.close()


def test_a_click_on_the_gallery_opens_the_image_in_the_stepper(pair):
    book, view = pair
    view.locator("canvas").nth(3).click(position={"x": 20, "y": 20})  # the first tile: the highest score
    first = int(book.ask("print(int(explorer.ranking[0]))"))
    assert "rank 1," in caption(view)
    name = book.ask(f"print(data.test.names[{first}])")
    stepper = book.view("Search for z, step by step")
    book.page.wait_for_function("name => document.body.innerText.includes(`${name}: step`)", arg=name, timeout=120_000)
    assert caption(stepper).startswith(f"{name}: step")
    view.get_by_role("slider", name="Image, by rank", exact=True).focus()  # the same by keys
    book.page.keyboard.press("ArrowRight")
    assert "rank 2," in caption(view)
    second = book.ask("print(data.test.names[int(explorer.ranking[1])])")
    book.page.wait_for_function(
        "name => document.body.innerText.includes(`${name}: step`)", arg=second, timeout=120_000
    )


def test_searching_again_shows_the_difference(lambdas):
    book, view = lambdas
    view.get_by_role("slider", name="Lambda", exact=True).focus()
    book.page.keyboard.press("Home")
    view.get_by_role("button", name="Search again at this lambda").click()
    said = view.get_by_text("Searched again at lambda 0")
    said.wait_for(timeout=240_000)
    again, weighed = (float(each) for each in re.findall(r"(?:AUROC|re-weighted:) (\d\.\d+)", said.inner_text()))
    assert [again, weighed] == eval(
        book.ask("print([round(explorer.searched[k], 3) for k in ('auroc', 'auroc_reweighted')])")
    )


def test_lambda_goes_on_while_the_kernel_is_busy(lambdas):
    book, view = lambdas
    with book.busy():
        for share, said in ((0.0, "Lambda 0,"), (1.0, "Lambda 1,"), (0.0, "Lambda 0,")):
            drag(book.page, view.get_by_role("slider", name="Lambda", exact=True), share)
            assert said in caption(view)
    agrees(book, view, "explorer")


def test_no_complaints(opened):
    assert {name: book.complaints for name, book in opened.books.items()} == {SEARCH: [], LAMBDA: []}


# ---- the page that needs no kernel


def test_exported_pages_work_with_the_network_off(notebook_of_views, chromium):
    book = notebook_of_views
    code = """
import pathlib
pages = pathlib.Path("pages"); pages.mkdir(exist_ok=True)
for name in ("stepper", "explorer", "overlay"):
    globals()[name].export_html(pages / f"{name}.html")
print(pages.resolve())
"""
    folder = book.ask(code)
    for name, slider, word in (
        ("stepper", "Search step", "step 100 of 100"),
        ("explorer", "Lambda", "Lambda 1,"),
        ("overlay", "Opacity", "opacity 100 %"),
    ):
        context = chromium.new_context(offline=True, viewport={"width": 1000, "height": 900})
        page, complaints = context.new_page(), []
        page.on("console", lambda said, kept=complaints: kept.append(said.text))
        page.on("pageerror", lambda error, kept=complaints: kept.append(str(error)))
        page.goto(f"file://{folder}/{name}.html")
        page.wait_for_timeout(1000)
        view = page.get_by_role("group").first
        seen = []
        for share in (0.0, 0.5, 1.0):
            drag(page, view.get_by_role("slider", name=slider, exact=True), share)
            seen.append(view.locator("canvas").first.evaluate(CANVAS))
        assert word in caption(view) and len(set(seen)) == 3
        assert page.get_by_role("button", name=re.compile("Search a")).count() == 0  # it would need a kernel
        page.set_viewport_size({"width": 480, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= 480
        assert complaints == []
        context.close()
