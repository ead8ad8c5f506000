"""The report in Chromium with the network off. `make test-browser` runs this; plain pytest leaves it out."""

import pytest

from anogan_lib.pictures import report


@pytest.fixture
def page(chromium, masked_detector, masked_data, tmp_path):
    """The report, opened from its file by a browser that is offline; what it complains of is in page.complaints."""
    path = report.write(tmp_path / "report.html", masked_detector, masked_data)
    context = chromium.new_context(offline=True, viewport={"width": 1100, "height": 900})
    page = context.new_page()
    page.complaints, page.requests = [], []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(path.as_uri())
    yield page
    context.close()


def test_every_picture_shows_without_a_network(page):
    widths = page.evaluate("Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))")
    assert len(widths) > 50 and min(widths) > 0
    shown = page.evaluate("[...document.images].every(i => i.getBoundingClientRect().width >= 100)")
    assert shown and page.complaints == []
    assert not [url for url in page.requests if not url.startswith(("file:", "data:"))]


def test_outlines_lie_over_their_pictures(page, masked_data):
    """The outline's own coordinates are the image's pixels, and its drawing covers the picture exactly."""
    drawn = page.evaluate("""[...document.querySelectorAll(".picture:has(path.mask)")].map(p => {
        const [image, svg] = ["img", "svg"].map(tag => p.querySelector(tag).getBoundingClientRect());
        const box = p.querySelector("path.mask").getBBox(), view = p.querySelector("svg").viewBox.baseVal;
        const far = ["x", "y", "width", "height"].map(k => Math.abs(image[k] - svg[k]));
        return {far: Math.max(...far), box: [box.x, box.y, box.width], view: [view.width, view.height],
                name: p.querySelector("img").alt};
    })""")
    assert len(drawn) >= 30
    for each in drawn:
        side = 2 + int(each["name"].removeprefix("anomaly map over ")[:2]) % 7
        assert each["far"] < 0.1
        assert each["view"] == [16, 16] and each["box"] == [5, 4, side]


@pytest.mark.parametrize("width", [1100, 400])
def test_nothing_runs_out_of_the_window(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_names_run_nothing(page):
    assert page.evaluate("document.scripts.length") == 0
    assert page.get_by_text("<script>alert").count() > 0
