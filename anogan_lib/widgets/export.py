"""A view as one self-contained page: its state, recorded answers, its script, and page.js for Jupyter's model."""

import base64
import hashlib
import json
import re
from html import escape
from pathlib import Path
from string import Template

from anogan_lib.checks import printable
from anogan_lib.saving import write_text

UNWANTED = ("_esm", "_css", "layout", "tabbable", "tooltip")


def write(view, path, title: str) -> Path:
    """Write `view` into the file `path`; returns the path."""
    page, model = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("page.html", "page.js"))
    state = {name: value for name, value in view.get_state().items() if name not in UNWANTED}
    answers = {json.dumps(message, separators=(",", ":")): states for message, states in view._answers()}
    state = json.dumps({"state": state, "answers": answers}, default=_packed)
    state = state.replace("<", "\\u003c")  # so no text can end the script element
    script = view._esm.replace("export default", "const shown =") + model
    parts = {"title": escape(printable(title)), "css": view._css, "esm": script}
    for element in ("style", "script"):  # the only ones that the page's policy lets through
        content = re.search(rf"<{element}[^>]*>(\n[^<]*)</{element}>", page)[1]
        digest = hashlib.sha256(Template(content).substitute(parts).encode()).digest()
        parts[f"{element}_hash"] = f"'sha256-{base64.b64encode(digest).decode()}'"
    page = Template(page).substitute(parts, state=state)
    write_text(path, page)
    return Path(path)


def _packed(value):
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(f"The state of a view is JSON and bytes. Received: {type(value).__name__}.")
