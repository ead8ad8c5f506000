"""The course as a static site, built by Sphinx from the project's own folder: `make site` writes results/site/."""

import html
import json
import shutil
import sys
from functools import partial
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

from views import is_view, page_name  # noqa: E402

# ---- what is read

project = "anogan_lib"
author = "the authors of anogan_lib"
root_doc = "README"
COURSE = [
    "notebooks/README",
    *sorted(f"notebooks/{path.stem}" for path in HERE.parent.glob("*.ipynb")),
    "notebooks/glossary",
]
LIBRARY = [
    "tests/benchmarks/README",
    "tests/benchmarks/tried",
    "anogan_lib/README",
    "anogan_lib/migrating",
    "data/README",
    "CONTRIBUTING",
    "CHANGELOG",
]
include_patterns = [f"{name}.*" for name in (root_doc, *COURSE, *LIBRARY)]
exclude_patterns = [
    ".*",
    "results",
    "runs",
    "build",
    "weights",
    "shared",
    "anogan_lib/*/**",
    "data/*/**",
    "**.py",
    "**.json",
]
extensions = ["myst_nb"]
nb_execution_mode = "off"  # the outputs are those that the notebooks keep
nb_ipywidgets_js = {}  # the views are pages of their own
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]

# ---- how it looks

html_theme = "sphinx_book_theme"
html_title = "AnoGAN, step by step"
html_baseurl = ""
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = [("frames.js", {"defer": "defer"})]
html_show_search_summary = False  # a summary would be fetched, which no page opened from disk may do
html_copy_source = True
html_sourcelink_suffix = ""  # notebooks are downloaded under their own names
html_show_copyright = False
html_show_sphinx = False
html_context = {"default_mode": "auto"}
templates_path = ["templates"]
html_sidebars = {"**": ["home.html", "search-button-field.html", "live.html", "sbt-sidebar-nav.html"]}
html_theme_options = {
    "navbar_persistent": [],
    "use_download_button": True,
    "use_fullscreen_button": False,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
}


# ---- what the sources leave to the site

LIVE = """**In this browser**: watch the search for the z of <a href="live/hazelnut.html">a hazelnut</a> or of
<a href="live/digit.html">a digit</a>, and draw a defect of your own. Nothing needs to be installed.
"""
NOTE = """Here the view answers from what was computed before. In the notebook it also computes what you ask of it, and
on <a href="../live/hazelnut.html">the live page</a> you can draw and search in this browser."""


def with_navigation(_app, name: str, source: list[str]) -> None:
    """Give the first page its navigation and the live pages, and each notebook's views their pages."""
    if name == root_doc:
        source[0] = source[0].replace("## Start\n", f"{LIVE}\n## Start\n", 1)
        for caption, pages in (("The course", COURSE), ("The library", LIBRARY)):
            source[0] += (
                f"\n\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n"
                + "\n".join(f"/{page}" for page in pages)
                + "\n```\n"
            )
    path = ROOT / f"{name}.ipynb"
    if not path.exists():
        return
    notebook, count = json.loads(source[0]), 0
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            alt = output.get("metadata", {}).get("image/png", {}).get("alt")
            if not is_view(output):
                if alt:  # MyST-NB takes a figure's text from its cell
                    cell["metadata"]["mystnb"] = {"image": {"alt": alt}}
                continue
            title = html.escape((alt or "Interactive view").split(". ")[0])
            frame = (
                f'<iframe class="view" loading="lazy" title="{title}" src="../views/{page_name(path, count)}"></iframe>'
            )
            output["data"] = {"text/html": [f"{frame}<p class='view-note'>{NOTE}</p>"]}
            count += 1
    source[0] = json.dumps(notebook)


def name_headers(_app, tree, _name: str) -> None:
    """Take away a table's head that is empty, as Markdown demands one, and name an empty corner for screen readers."""
    for head in list(tree.findall(nodes.thead)):
        entries = list(head.findall(nodes.entry))
        if not any(entry.astext().strip() for entry in entries):
            head.parent.remove(head)
            continue
        for entry in entries:
            if not entry.astext().strip():
                entry.children = []
                entry += nodes.paragraph("", "", nodes.inline("", "name", classes=["visually-hidden"]))


def formula(self, node, display: str) -> None:
    """Write a formula as MathML, which browsers draw without a script."""
    drawn = convert(node.astext(), display=display)
    self.body.append(drawn if display == "inline" else f'<div class="formula">{drawn}</div>')
    raise nodes.SkipNode


def first_page(app, problem) -> None:
    """Make README the page that one opens, and leave out what only the makers of the theme need."""
    if problem is None and app.builder.name == "html":
        shutil.copyfile(Path(app.outdir, "README.html"), Path(app.outdir, "index.html"))
        for each in Path(app.outdir, "_static").rglob("*.map"):  # for those who work on the theme: 4 MB
            each.unlink()


def setup(app) -> None:
    app.connect("source-read", with_navigation)
    app.connect("doctree-resolved", name_headers)
    app.connect("build-finished", first_page)
    app.add_html_math_renderer(
        "mathml", (partial(formula, display="inline"), None), (partial(formula, display="block"), None)
    )


html_math_renderer = "mathml"
