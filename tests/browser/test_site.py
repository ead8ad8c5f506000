"""The course as a site, opened from disk by a browser that is offline: every page, every view, in both themes."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest
from laboratory import ROOT, THEMES
from playwright.sync_api import expect
from test_accessible import AXE
from views import is_view

# Put a range where the hand would, or leave it, and wait until the picture stands.
SLIDE = """async (input, share) => {
  if (share !== null) {
    input.value = Number(input.min) + (Number(input.max) - Number(input.min)) * share;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
}"""
PICTURES = "() => [...document.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL()).join()"


class Links(HTMLParser):
    """What a page links to and loads, and the places in it that a link can name."""

    def __init__(self, text: str):
        super().__init__()
        self.links, self.places, self.formulas = [], set(), 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.links += [attributes[name] for name in ("href", "src") if attributes.get(name)]
        self.places |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        self.formulas += tag == "math"


@pytest.fixture(scope="session")
def site(request, tmp_path_factory):
    """The folder of the built site."""
    if given := request.config.getoption("--site"):
        return ROOT / given
    folder = tmp_path_factory.mktemp("site") / "site"
    subprocess.run([sys.executable, "notebooks/site/build.py", folder], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def browser(chromium):
    """Opens pages without a network; what they complain of, and ask the network for, fails the test."""
    context = chromium.new_context(offline=True, color_scheme="light", viewport={"width": 1200, "height": 900})
    page, complaints = context.new_page(), []
    page.on("console", lambda said: said.type in ("error", "warning") and complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda each: each.url.startswith(("file:", "data:", "blob:")) or complaints.append(each.url))

    def open_page(path, width: int = 1200):
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(path.as_uri())
        page.wait_for_timeout(200)
        assert complaints == [], path
        return page

    open_page.complaints = complaints
    yield open_page
    context.close()


def pages(site) -> list:
    """Every page of the course, views and live pages not among them."""
    return [path for path in sorted(site.rglob("*.html")) if path.parent.name not in ("views", "live", "_static")]


def notebook_pages(site) -> dict:
    return {path: site / "notebooks" / f"{path.stem}.html" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}


SETTLED = """async () => {
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  await Promise.allSettled(document.getAnimations().map((each) => each.finished));
}"""  # buttons take 0.15 s from one theme's colours to the other's


def axe(page) -> list:
    """What axe-core finds in the light theme, and of colours in the dark one; the rest is the same in both."""
    page.evaluate(AXE)
    found, rules = [], {"light": "", "dark": "runOnly: ['color-contrast'],"}
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        page.evaluate(SETTLED)
        options = f"{{ {rules[theme]} resultTypes: ['violations'], iframes: false, preload: false }}"
        violations = "violations.map(v => [v.id, v.nodes.map(n => n.html).slice(0, 3)])"
        found += page.evaluate(f"async () => (await axe.run(document, {options})).{violations}")
    return found


def test_every_notebook_and_page_is_there_and_no_link_is_broken(site):
    read = {path: Links(path.read_text(encoding="utf-8")) for path in pages(site)}
    assert {site / "index.html", *notebook_pages(site).values()} <= set(read)
    assert {"glossary.html", "README.html"} <= {path.name for path in read if path.parent.name == "notebooks"}
    assert {site / "tests/benchmarks/README.html", site / "anogan_lib/README.html"} <= set(read)
    first = (site / "index.html").read_text(encoding="utf-8").partition("<article")[2].partition("</article>")[0]
    assert {"live/hazelnut.html", "live/digit.html"} <= set(Links(first).links)
    broken = []
    for path, page in read.items():
        for link in page.links:
            if re.match(r"(https?|data|mailto):", link):
                continue
            name, _, place = unquote(link).partition("#")
            target = (path.parent / name.partition("?")[0]).resolve() if name else path
            if not target.exists() or (place and target in read and place not in read[target].places):
                broken.append((path.name, link))
    assert broken == []


def test_the_site_is_small_and_notebooks_are_downloaded_as_they_are(site):
    assert sum(path.stat().st_size for path in site.rglob("*")) < 30e6
    pages = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.html"))
    assert [path.name for path in (site / "_images").iterdir() if path.name not in pages] == [], "of an earlier build"
    for notebook, page in notebook_pages(site).items():
        copies = [unquote(link) for link in Links(page.read_text(encoding="utf-8")).links if link.endswith(".ipynb")]
        assert [link for link in copies if (page.parent / link).read_bytes() == notebook.read_bytes()], notebook.name


def test_formulas_are_drawn_by_the_browser_itself(site):
    found = {path.name: Links(path.read_text(encoding="utf-8")).formulas for path in notebook_pages(site).values()}
    assert sum(found.values()) > 100
    assert all("cdn" not in path.read_text(encoding="utf-8").lower() for path in pages(site))


SHAPES = """(images) => images.map((image) => {
  const { width, height } = image.getBoundingClientRect();
  return [image.alt, (image.naturalWidth * height) / (image.naturalHeight * width)];
})"""


def test_figures_keep_their_text_and_their_shape(site, browser):
    for notebook, path in notebook_pages(site).items():
        outputs = [o for cell in json.loads(notebook.read_text())["cells"] for o in cell.get("outputs", ())]
        figures = [o for o in outputs if "image/png" in o.get("data", {}) and not is_view(o)]
        for width in (480, 1200):
            shown = browser(path, width).locator(".cell_output img").evaluate_all(SHAPES)
            assert [text for text, _ in shown] == [o["metadata"]["image/png"]["alt"] for o in figures]
            assert [stretched for _, stretched in shown] == pytest.approx([1.0] * len(figures), abs=0.02), path


# The keyboard comes to the formulas that scroll at this width, and to no others.
FORMULAS_ARE_SETTLED = """[...document.querySelectorAll(".formula")].every(
    (each) => (each.tabIndex === 0) === (each.scrollWidth > each.clientWidth))"""


def test_pages_are_accessible_in_both_themes_and_nothing_overflows(site, browser):
    wrong = []
    for path in pages(site):
        page = browser(path, width=480)
        if page.evaluate("document.documentElement.scrollWidth") > 480:
            wrong.append((path.name, "overflows"))
        page.set_viewport_size({"width": 1200, "height": 900})
        page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        page.wait_for_function(FORMULAS_ARE_SETTLED)
        assert page.evaluate("document.documentElement.dataset.theme") == "light"
        wrong += [(path.name, each) for each in axe(page)]
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert wrong == []


def test_search_finds_a_chapter_by_its_words(site, browser):
    page = browser(site / "search.html")
    page.goto(f"{(site / 'search.html').as_uri()}?q=threshold")
    page.get_by_role("link", name=re.compile("Scores and thresholds")).first.wait_for()
    assert browser.complaints == []


def test_every_view_stands_where_its_notebook_shows_it_and_follows_theme_and_height(site, browser):
    kinds = set()
    for notebook, path in notebook_pages(site).items():
        outputs = [o for cell in json.loads(notebook.read_text())["cells"] for o in cell.get("outputs", ())]
        count = sum(map(is_view, outputs))
        page = browser(path)
        frames = page.locator("iframe.view")
        assert frames.count() == count, path
        for i in range(count):
            frames.nth(i).scroll_into_view_if_needed()
            view = frames.nth(i).content_frame.get_by_role("group").first
            view.wait_for()
            kinds.add(view.get_attribute("aria-label"))
            page.wait_for_timeout(300)
            assert abs(frames.nth(i).bounding_box()["height"] - view.bounding_box()["height"]) <= 2
            for theme in reversed(THEMES):
                page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
                page.wait_for_timeout(100)
                assert view.evaluate("() => document.body.dataset.jpThemeLight") == str(theme == "light").lower()
    assert len(kinds) == 6 and browser.complaints == []


def test_every_view_is_alive_without_a_kernel(site, browser):
    """Times are those that the page's own thread works, from the event to the picture: other programs don't count."""
    costs = {}
    for path in sorted((site / "views").glob("*.html")):
        page = browser(path, width=480)
        assert page.evaluate("document.documentElement.scrollWidth") <= 480, path
        page.set_viewport_size({"width": 1000, "height": 900})
        assert axe(page) == [], path
        page.emulate_media(color_scheme="light")
        thread = page.context.new_cdp_session(page)
        thread.send("Performance.enable", {"timeDomain": "threadTicks"})

        def worked(thread=thread) -> float:
            figures = thread.send("Performance.getMetrics")["metrics"]
            return 1000 * next(each["value"] for each in figures if each["name"] == "TaskDuration")

        def cost(slider, share, worked=worked) -> float:
            before = worked()
            slider.evaluate(SLIDE, share)
            return worked() - before

        sliders = page.locator("input[type=range]:visible")
        for i in range(sliders.count()):
            slider, seen, times = sliders.nth(i), set(), []
            slider.focus()  # a walk prepares its pictures then
            page.wait_for_timeout(200)
            name = slider.evaluate("input => input.closest('label').textContent").split("(")[0]
            idle = np.median([cost(slider, None) for _ in range(8)])  # what asking costs
            for turn in range(24):
                times.append(cost(slider, (5 * turn) % 12 / 11) - idle)
                if turn < 4:
                    seen.add(page.evaluate(PICTURES))
            if len(seen) > 1:
                costs[f"{path.stem}, {name}"] = np.quantile(times, [0.5, 0.95])
            elif not re.match("Speed|Swipe", name):
                pytest.fail(f"{path.name}: {name} changes no picture")
        for button in page.get_by_role("button", name=re.compile("^Play (the recording|what was drawn)")).all():
            status = page.get_by_role("status")
            before = status.inner_text()
            button.click()
            expect(status).not_to_have_text(before)
        assert browser.complaints == []
    print("\nfrom the hand to the picture, ms of the page's thread, median and 95th percentile:")
    for name, (median, most) in costs.items():
        print(f"  {name:<55}{median:6.1f}{most:6.1f}")
    assert len(costs) > 10


MEGABYTES = {"mnist:8": 0.5, "hazelnut": 4.0, "digits:8": 1.5}  # digits:8 where MNIST is out of reach


@pytest.mark.parametrize("name", ["digit", "hazelnut"])
def test_the_live_pages_are_small_and_search(site, browser, name):
    path = site / "live" / f"{name}.html"
    page = browser(path, width=480)
    assert page.evaluate("document.documentElement.scrollWidth") <= 480
    data = page.get_by_role("heading", level=1).inner_text().removeprefix("AnoGAN live: ")
    assert path.stat().st_size < 1e6 * MEGABYTES[data]
    page.get_by_role("slider", name="Speed").fill("20")
    page.get_by_role("button", name="Play").click()
    page.wait_for_selector("body[data-state=done]", timeout=120_000)
    said = page.get_by_role("status").inner_text()
    assert re.search(r"normal images score as much or more, p\s=\s0\.\d+: (normal|anomalous)\.", said)
    assert browser.complaints == []
    print(f"\n{data}: {path.stat().st_size / 1e6:.2f} MB. {page.locator('#speed-note').inner_text()}")
