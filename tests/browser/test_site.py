"""The course as a site, opened from disk by a browser that is offline: every page, every view, in both themes."""

import json
import re
import statistics
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from laboratory import ROOT, THEMES
from test_accessible import AXE
from views import is_view

# Press a key on a range and take the time until the first canvas that changes has changed.
WATCH = """async (input) => {
  const canvases = [...document.querySelectorAll("canvas")], times = [];
  const look = () => canvases.map((c) => c.toDataURL());
  for (let i = 0; i < 12; i++) {
    const before = look();
    const [low, high] = [Number(input.min), Number(input.max)];
    input.value = low + ((high - low) * ((5 * i) % 12)) / 11;
    const began = performance.now();
    input.dispatchEvent(new Event("input", { bubbles: true }));
    const spent = performance.now() - began;
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 120)));
    if (look().some((picture, k) => picture !== before[k])) times.push(spent);
  }
  return times;
}"""


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


@pytest.fixture(scope="module", params=THEMES)
def browser(request, chromium):
    """Opens pages without a network in one theme; what they complain of, and ask the network for, fails the test."""
    context = chromium.new_context(offline=True, color_scheme=request.param, viewport={"width": 1200, "height": 900})
    page, complaints = context.new_page(), []
    page.on("console", lambda said: said.type in ("error", "warning") and complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda each: each.url.startswith(("file:", "data:", "blob:")) or complaints.append(each.url))

    def open_page(path, width: int = 1200):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(path.as_uri())
        page.wait_for_timeout(300)
        assert complaints == [], path
        return page

    open_page.theme, open_page.complaints = request.param, complaints
    yield open_page
    context.close()


def pages(site) -> list:
    """Every page of the course, views and live pages not among them."""
    return [path for path in sorted(site.rglob("*.html")) if path.parent.name not in ("views", "live", "_static")]


def notebook_pages(site) -> dict:
    return {path: site / "notebooks" / f"{path.stem}.html" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}


def axe(page) -> list:
    page.evaluate(AXE)
    options = "{ resultTypes: ['violations'], iframes: false, preload: false }"
    found = "violations.map(v => [v.id, v.nodes.map(n => n.html).slice(0, 3)])"
    return page.evaluate(f"async () => (await axe.run(document, {options})).{found}")


def test_every_notebook_and_page_is_there_and_no_link_is_broken(site):
    read = {path: Links(path.read_text(encoding="utf-8")) for path in pages(site)}
    assert {site / "index.html", *notebook_pages(site).values()} <= set(read)
    assert {"glossary.html", "README.html"} <= {path.name for path in read if path.parent.name == "notebooks"}
    assert {site / "tests/benchmarks/README.html", site / "anogan_lib/README.html"} <= set(read)
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
    for notebook, page in notebook_pages(site).items():
        copies = [unquote(link) for link in Links(page.read_text(encoding="utf-8")).links if link.endswith(".ipynb")]
        assert [link for link in copies if (page.parent / link).read_bytes() == notebook.read_bytes()], notebook.name


def test_formulas_are_drawn_by_the_browser_itself(site):
    found = {path.name: Links(path.read_text(encoding="utf-8")).formulas for path in notebook_pages(site).values()}
    assert sum(found.values()) > 100
    assert all("cdn" not in path.read_text(encoding="utf-8").lower() for path in pages(site))


def test_pages_are_accessible_and_nothing_overflows(site, browser):
    wrong = []
    for path in pages(site):
        page = browser(path, width=1200)
        assert page.evaluate("document.documentElement.dataset.theme") == browser.theme
        wrong += [(path.name, each) for each in axe(page)]
        page.set_viewport_size({"width": 480, "height": 900})
        page.wait_for_timeout(100)
        if page.evaluate("document.documentElement.scrollWidth") > 480:
            wrong.append((path.name, "overflows"))
    assert wrong == []


def test_search_finds_a_chapter_by_its_words(site, browser):
    page = browser(site / "search.html")
    box = page.locator("input[name=q]:visible").first
    box.fill("spectral residual")
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
            shown = view.evaluate("() => document.body.dataset.jpThemeLight")
            assert shown == str(browser.theme == "light").lower()
        if count:
            page.evaluate("document.documentElement.dataset.theme = 'dark'")
            page.wait_for_timeout(200)
            assert view.evaluate("() => document.body.dataset.jpThemeLight") == "false"
    assert len(kinds) == 6 and browser.complaints == []


def test_every_view_is_alive_without_a_kernel(site, browser):
    times = {}
    for path in sorted((site / "views").glob("*.html")):
        page = browser(path, width=480)
        assert page.evaluate("document.documentElement.scrollWidth") <= 480, path
        page = browser(path, width=1000)
        assert axe(page) == [], path
        sliders = page.locator("input[type=range]:visible")
        for i in range(sliders.count()):
            slider = sliders.nth(i)
            slider.focus()  # a walk prepares its pictures then
            page.wait_for_timeout(200)
            name = slider.evaluate("input => input.closest('label').textContent")
            if found := slider.evaluate(WATCH):
                times[f"{path.stem}, {name.split('(')[0]}"] = statistics.median(found)
            elif not re.match("Speed|Swipe", name):
                pytest.fail(f"{path.name}: {name} changes no picture")
        for button in page.get_by_role("button", name=re.compile("^Play (the recording|what was drawn)")).all():
            status = page.get_by_role("status")
            before, seen = status.inner_text(), set()
            button.click()
            for _ in range(30):
                seen.add(status.inner_text())
                page.wait_for_timeout(100)
            assert len(seen | {before}) > 1, path
        assert browser.complaints == []
    print({name: round(each, 1) for name, each in times.items()})
    assert len(times) > 10 and statistics.median(times.values()) < 8
