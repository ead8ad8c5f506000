"""What the browser tests work with: a notebook open in JupyterLab, and one notebook of all six views."""

import contextlib
import secrets
import time
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[2]
WIDTHS = (480, 1200)
THEMES = ("light", "dark")
PATIENCE = 300_000  # ms for a notebook to run; its kernel loads TensorFlow and shares the machine


def notebook(title: str) -> str:
    """The file name of a notebook, whatever its number in the series."""
    return next((ROOT / "notebooks").glob(f"[0-9]*_{title}.ipynb")).name


# A notebook of all six views, each the last line of its cell.
SET_UP = """
import numpy as np
from anogan_lib import AnoGAN, DCGAN, datasets, widgets
data = datasets.load("hazelnut")
detector = AnoGAN.load("../weights/hazelnut")
found = detector.predict(data.test)
print("set up")
"""
VIEWS = {
    "InversionStepper": "stepper = widgets.InversionStepper(detector, data.test[[0, 60]], restarts=3, init='random')\n"
    "stepper",
    "LambdaExplorer": "explorer = widgets.LambdaExplorer(detector, data.test, found)\nexplorer",
    "ResidualOverlay": "overlay = widgets.ResidualOverlay(detector, data.test, found)\noverlay",
    "LatentWalk": "walk = widgets.LatentWalk(detector, data.test[:12])\nwalk",
    "TrainingMonitor": "gan = DCGAN((64, 64, 3), latent_dim=8, width=4)\n"
    "monitor = widgets.TrainingMonitor(gan, data.train, held_back=data.validation, epochs=100)\nmonitor",
    "DefectPainter": "painter = widgets.DefectPainter(detector, data.calibration.images[0])\npainter",
}


class Lab:
    def __init__(self, address: str, token: str, folder: Path):
        self.address, self.token, self.folder = address, token, folder

    def write(self, name: str, cells: list[str]) -> str:
        """A notebook of these code cells in the notebooks' folder; its name."""
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(book, self.folder / "notebooks" / name)
        return name

    def open(self, chromium, name: str, width: int = 1200) -> "Notebook":
        context = chromium.new_context(viewport={"width": width, "height": 900})
        page = context.new_page()
        return Notebook(self, page, name)


class Notebook:
    """One notebook open in JupyterLab; `complaints` holds what the page had to say on its console."""

    def __init__(self, lab: Lab, page, name: str):
        self.page, self.folder, self.complaints = page, lab.folder, []
        page.set_default_timeout(60_000)
        page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(f"{lab.address}/doc/tree/notebooks/{name}?token={lab.token}&reset")
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=PATIENCE)
        page.wait_for_function(
            """() => { const panel = window.jupyterapp?.shell.currentWidget;
            return panel?.sessionContext?.session?.kernel?.connectionStatus === "connected"; }""",
            timeout=PATIENCE,
        )

    def close(self) -> None:
        self.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self.page.context.close()

    def run(self, wait: bool = True) -> None:
        """Run all cells; the last one's number says that it is done, or an error that it never will be."""
        self.page.evaluate("jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")  # and their numbers
        self.page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")  # not awaited: it never ends
        if wait:
            last = self.page.locator(".jp-CodeCell").last.locator(".jp-InputPrompt")
            self._until(lambda: "*" not in last.inner_text() and any(c.isdigit() for c in last.inner_text()))

    def _until(self, done, patience: float = PATIENCE / 1000) -> None:
        end = time.monotonic() + patience
        while not done():
            wrong = self.page.locator(".jp-Cell-outputArea [data-mime-type='application/vnd.jupyter.error']")
            assert wrong.count() == 0, wrong.first.inner_text()
            assert time.monotonic() < end, "the notebook did not end in time"
            self.page.wait_for_timeout(200)

    def count(self) -> int:
        return self.page.evaluate("jupyterapp.shell.currentWidget.content.widgets.length")

    def ask(self, code: str) -> str:
        """Run code in the notebook's kernel, without a cell; what it prints."""
        return self.page.evaluate(
            """async (code) => {
            const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            const future = kernel.requestExecute({ code, store_history: false });
            let said = "";
            future.onIOPub = ({ header, content }) => {
              if (header.msg_type === "stream") said += content.text;
              if (header.msg_type === "error") said += content.ename + ": " + content.evalue;
            };
            await future.done;
            return said.trim(); }""",
            code,
        )

    @contextlib.contextmanager
    def busy(self):
        """The kernel works at something else for as long as the block lasts."""
        begun, ended = (self.folder / f"{secrets.token_hex(4)}-{word}" for word in ("begun", "ended"))
        code = f"""
import pathlib
pathlib.Path({str(begun)!r}).touch()
while not pathlib.Path({str(ended)!r}).exists():
    pass
"""
        self.page.evaluate(
            "code => void jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code })", code
        )
        self._until(begun.exists, 60)
        try:
            yield
        finally:
            ended.touch()

    def view(self, label: str):
        """The view whose accessible name is this, scrolled to."""
        view = self.page.get_by_role("group", name=label).first
        view.wait_for(timeout=PATIENCE)
        view.scroll_into_view_if_needed()
        return view

    def theme(self, name: str) -> None:
        change = "theme => jupyterapp.commands.execute('apputils:change-theme', { theme })"
        self.page.evaluate(change, f"JupyterLab {name.title()}")
        body = f"body[data-jp-theme-light={'true' if name == 'light' else 'false'}]"
        self.page.wait_for_selector(body, state="attached")
        self.page.wait_for_timeout(300)

    def width(self, pixels: int) -> None:
        self.page.set_viewport_size({"width": pixels, "height": 900})
        self.page.wait_for_timeout(500)
