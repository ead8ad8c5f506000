"""The notebooks' interactive views as pages that need no kernel, and as still pictures.

    python notebooks/views.py pages FOLDER       a page for each view, NOTEBOOK-NUMBER.html, for `make site`
    python notebooks/views.py stills [FILE...]   each view's picture, taken in Chromium, into the notebooks' outputs

A view is built again by the cells of its notebook that it needs, and by no others.
"""

import ast
import base64
import contextlib
import importlib.util
import shutil
import symtable
import sys
import time
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from PIL import Image

from anogan_lib.pictures.style import in_few_colours

FOLDER = Path(__file__).resolve().parent
WIDGET = "application/vnd.jupyter.widget-view+json"
LEFT_OUT = {"exercise", "solution"}  # cells of these tags
WIDTH = 900  # pixels of the window in which a view's picture is taken


def is_view(output) -> bool:
    """Whether this output of a cell is a view: a widget that has a still picture; a progress bar has none."""
    return WIDGET in output.get("data", {}) and "image/png" in output["data"]


def page_name(notebook: Path, number: int) -> str:
    """Name the page of a notebook's view, counted from 0."""
    return f"{notebook.stem}-{number}.html"


def needed(sources: list[str], wanted: set[int]) -> list[int]:
    """Find the cells that must run for those `wanted`: each sets or changes what a later one of them uses."""
    names, kept = set(), []
    for i in range(max(wanted, default=-1), -1, -1):
        sets, changes, uses = _names(sources[i])
        if i in wanted or (sets | changes) & names:
            kept.insert(0, i)
            names = (names - sets) | uses
    return kept


def _names(source: str) -> tuple[set[str], set[str], set[str]]:
    """Return the names that a cell sets, those of which it sets a part or calls a method, and those that it uses."""
    table, nodes = symtable.symtable(source, "", "exec"), list(ast.walk(ast.parse(source)))
    symbols = table.get_symbols()
    sets = {each.get_name() for each in symbols if each.is_assigned() or each.is_imported() or each.is_namespace()}
    scopes, uses = [table], set()
    for scope in scopes:
        scopes += scope.get_children()
        uses |= {
            each.get_name()
            for each in scope.get_symbols()
            if each.is_referenced() and (scope is table or each.is_global())
        }
    loops = [name for node in nodes if isinstance(node, ast.For) for name in ast.walk(node.target)]
    changed = [node.value.func for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    changed += [node for node in nodes if isinstance(getattr(node, "ctx", None), ast.Store)]
    roots = {_root(node) for node in changed if isinstance(node, ast.Attribute | ast.Subscript)}
    return sets, roots, uses - {getattr(name, "id", "") for name in loops}


def _root(node) -> str:
    """Name what an attribute or an item belongs to: `a` of a.b[c]."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return getattr(node, "id", "")


def build(path: Path) -> list:
    """Run the cells of a notebook that its views need; returns the views, in order. Their output is dropped."""
    cells = [
        cell
        for cell in nbformat.read(path, 4).cells
        if cell.cell_type == "code" and not LEFT_OUT & set(cell.metadata.get("tags", ()))
    ]
    shows = {i for i, cell in enumerate(cells) if any(map(is_view, cell.outputs))}
    views, names = [], {"__name__": "__main__"}
    with contextlib.chdir(path.parent), contextlib.redirect_stdout(None):
        for i in needed([cell.source for cell in cells], shows):
            tree = ast.parse(cells[i].source)
            last = tree.body.pop() if i in shows else None
            exec(compile(tree, f"{path.name}, code cell {i}", "exec"), names)
            if last:
                views.append(eval(compile(ast.Expression(last.value), path.name, "eval"), names))
                while getattr(views[-1], "running", False):  # a training, in a thread of its own
                    time.sleep(0.1)
    return views


def write_pages(folder: Path) -> None:
    """Write each view as a page that answers without a kernel."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(FOLDER.glob("*.ipynb")):
        for number, view in enumerate(build(path)):
            page = view.export_html(folder / page_name(path, number))
            print(f"{page.name}: {view!r}, {page.stat().st_size / 1e6:.1f} MB", flush=True)


def chromium() -> str | None:
    """Find the browser on this machine."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def write_stills(notebooks: list[Path]) -> None:
    """Put a picture of each view, as Chromium shows it, in place of the one that its output holds."""
    if not chromium() or not importlib.util.find_spec("playwright"):
        print("Chromium or Playwright is missing: the views keep the pictures that matplotlib draws of them.")
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 1300}, color_scheme="light")
        for path in notebooks:
            notebook = nbformat.read(path, 4)
            outputs = [each for cell in notebook.cells for each in cell.get("outputs", ()) if is_view(each)]
            for view, output in zip(build(path), outputs, strict=True):
                page.goto(view.export_html(Path(folder, "view.html")).as_uri())
                page.wait_for_timeout(1000)  # its pictures are decoded
                output.data["image/png"] = _still(page.locator(".anogan").screenshot())
                output.metadata["image/png"] = {"width": WIDTH - 32, "alt": view.alt}
            if outputs:
                nbformat.write(notebook, path)
                print(f"{path.name}: {len(outputs)} pictures, {path.stat().st_size / 1e6:.2f} MB", flush=True)
        browser.close()


def _still(png: bytes) -> str:
    """Return a screenshot in 128 colours, which is a third as large, in base64."""
    file = BytesIO()
    in_few_colours(Image.open(BytesIO(png)), 128).save(file, "png", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["pages", folder]:
            write_pages(Path(folder).resolve())
        case ["stills", *files]:
            write_stills([Path(file).resolve() for file in files] or sorted(FOLDER.glob("*.ipynb")))
        case _:
            sys.exit(f"pages FOLDER, or stills [FILE...]? Received: {' '.join(sys.argv[1:]) or 'nothing'}.")
