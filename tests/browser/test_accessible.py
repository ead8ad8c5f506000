"""Every view for everyone: axe-core finds nothing, nothing overflows or overlaps, in both themes and at both widths."""

from pathlib import Path

import axe_playwright_python
import pytest
from laboratory import THEMES, VIEWS, WIDTHS

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")

# Of what a person sees of a view: what lies outside it, and which two controls or pictures lie over each other.
BOXES = """(view) => {
  const outer = view.getBoundingClientRect(), seen = [], over = [];
  const parts = "button, input, select, output, canvas, p, th, td, label > span, summary, img";
  for (const node of view.querySelectorAll(parts)) {
    const box = node.getBoundingClientRect();
    if (box.width && box.height && node.checkVisibility()) seen.push([node, box]);
  }
  const named = (node) => `${node.tagName} ${node.getAttribute("aria-label") ?? node.textContent}`.slice(0, 60);
  const beyond = (b) => b.left < outer.left - 0.5 || b.right > outer.right + 0.5 || b.bottom > outer.bottom + 0.5;
  seen.forEach(([a, p], i) => seen.slice(i + 1).forEach(([b, q]) => {
    const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
    const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
    if (wide > 1 && high > 1 && !a.contains(b) && !b.contains(a)) over.push(`${named(a)} / ${named(b)}`);
  }));
  const out = seen.filter(([, box]) => beyond(box)).map(([node]) => named(node));
  return { count: seen.length, width: outer.width, wider: view.scrollWidth - view.clientWidth, out, over };
}"""


@pytest.fixture(scope="module", params=THEMES)
def themed(request, notebook_of_views):
    notebook_of_views.width(1200)
    notebook_of_views.theme(request.param)
    yield notebook_of_views
    notebook_of_views.theme("light")


def opened(book, name: str):
    """The view with everything that folds unfolded."""
    label = book.ask(f"print(widgets.{name}.class_traits()['_label'].default_value)")
    view = book.view(label)
    view.evaluate("view => view.querySelectorAll('details').forEach(each => { each.open = true; })")
    return view


@pytest.mark.parametrize("name", VIEWS)
def test_axe_finds_nothing(themed, name):
    view = opened(themed, name)
    themed.page.evaluate(AXE)
    found = view.evaluate(
        "async view => (await axe.run(view)).violations.map(v => [v.id, v.help, v.nodes.map(n => n.html)])"
    )
    assert found == []
    checked = view.evaluate("async view => (await axe.run(view)).passes.length")
    assert checked > 5


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", VIEWS)
def test_nothing_overflows_or_overlaps(themed, name, width):
    themed.width(width)
    view = opened(themed, name)
    found = view.evaluate(BOXES)
    assert found["count"] > 5 and found["width"] < width
    assert found["wider"] <= 0 and found["out"] == [] and found["over"] == []


def test_no_complaints(notebook_of_views):
    assert notebook_of_views.complaints == []
