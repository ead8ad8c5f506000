"""A view as one self-contained page: its state, its own script, and page.js in place of Jupyter's model."""

import base64
import json
from html import escape
from pathlib import Path
from string import Template

UNWANTED = ("_esm", "_css", "layout", "tabbable", "tooltip")


def write(view, path, title: str) -> Path:
    """Write `view` into the file `path`; returns the path."""
    page, model = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("page.html", "page.js"))
    state = {name: value for name, value in view.get_state().items() if name not in UNWANTED}
    state = json.dumps(state, default=_packed).replace("<", "\\u003c")  # so no text can end the script element
    script = view._esm.replace("export default", "const shown =") + model
    path = Path(path)
    page = Template(page).substitute(title=escape(title), css=view._css, state=state, esm=script)
    path.write_text(page, encoding="utf-8")
    return path


def _packed(value):
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(f"The state of a view is JSON and bytes. Received: {type(value).__name__}.")
