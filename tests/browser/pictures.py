"""Pictures of the six views, taken in JupyterLab as a reader sees them, and of a report: `make view-pictures`.

They go to img/view-*.png and img/report.png.

No test: pytest lends its fixtures, and leaves a file of this name out unless it is named.
"""

import pytest
from laboratory import ROOT, SET_UP, VIEWS
from PIL import Image
from test_live_views_in_browser import stroke, waited

from anogan_lib import datasets, pretrained
from anogan_lib.pictures import report
from anogan_lib.pictures.style import in_few_colours

SIZE = {"width": 1000, "height": 1300}  # high enough for the highest view
TRAINING = """gan = DCGAN((64, 64, 3), latent_dim=32, width=16, seed=0)
monitor = widgets.TrainingMonitor(gan, data.train, held_back=data.validation, epochs=100)
monitor"""
SCRATCH = (0.36, 0.38), (0.52, 0.5), (0.6, 0.66)


@pytest.fixture(scope="module")
def book(lab, chromium):
    book = lab.open(chromium, lab.write("pictures.ipynb", [SET_UP, *(VIEWS | {"TrainingMonitor": TRAINING}).values()]))
    book.page.set_viewport_size(SIZE)
    book.run()
    yield book
    book.close()


def draw(book, view):
    book.ask("painter.brush = 2")
    stroke(book.page, view.get_by_role("application"), *SCRATCH)
    waited(book, view, r"^\d+ pixels drawn")
    book.page.mouse.move(2, 2)


def train(book, view):
    view.get_by_role("button", name="Train").click()
    waited(book, view, r"^Step [3-9]\d\d of", 500_000)
    view.get_by_role("button", name="Stop").click()
    waited(book, view, "Stopped")


# The view's accessible name; what Python sets before, or what a hand does.
SCENES = {
    "stepper": ("Search for z, step by step", "stepper.step = 9"),
    "lambda": ("Lambda and threshold explorer", "explorer.lam = 0.3"),
    "overlay": ("Residual over the image", "overlay.index, overlay.view = 80, 'side by side'"),
    "walk": ("Walk through latent space", "walk.between, walk.mix, walk.position = (2, 7), 0.4, [1.5, 0, 0, 0, 0, 0]"),
    "training": ("Training of the DCGAN", train),
    "painter": ("Draw a defect", draw),
}


@pytest.mark.parametrize("name", SCENES)
def test_picture(book, name):
    label, scene = SCENES[name]
    view = book.view(label)
    if callable(scene):
        scene(book, view)
    else:
        book.ask(scene)
    book.page.wait_for_timeout(1000)
    keep(view.screenshot(), f"view-{name}.png")


def test_picture_of_a_report(chromium, tmp_path):
    data = datasets.load("hazelnut")
    file = report.write(tmp_path / "report.html", pretrained.detector(data), data)
    page = chromium.new_page(viewport=SIZE)
    page.goto(file.as_uri())
    keep(page.screenshot(), "report.png")


def keep(png, name):
    path = ROOT / "img" / name
    path.write_bytes(png)
    if path.stat().st_size > 150_000:
        in_few_colours(Image.open(path)).save(path, optimize=True)
