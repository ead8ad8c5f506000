"""A view as one self-contained page: its state, its own script, and a few lines in place of Jupyter's model."""

import base64
import json
from html import escape
from pathlib import Path

UNWANTED = ("_esm", "_css", "layout", "tabbable", "tooltip")

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0 auto; padding: 1rem; max-width: 75rem; font-family: system-ui, sans-serif;
  background: var(--jp-layout-color1, #fff); color: var(--jp-ui-font-color1, #212121); }}
@media (prefers-color-scheme: dark) {{ :root {{ --jp-layout-color1: #111; --jp-layout-color2: #2a2a2a;
  --jp-border-color1: #8a8a8a; --jp-border-color2: #555; --jp-ui-font-color1: #eee; --jp-ui-font-color2: #bbb;
  --jp-brand-color1: #64b5f6; }} }}
{css}
</style>
<main><h1>{title}</h1><div id="view"></div></main>
<script type="application/json" id="state">{state}</script>
<script type="module">
{esm}
</script>
</html>
"""

# Stands in for the model that anywidget hands to a view. Nothing answers `send`: views hide what needs a kernel.
SHIM = """
const unpack = (value) => {
  if (Array.isArray(value)) return value.map(unpack);
  if (value === null || typeof value !== "object") return value;
  if ("$bytes" in value) {
    const text = atob(value.$bytes), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new DataView(bytes.buffer);
  }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, unpack(part)]));
};
const state = unpack(JSON.parse(document.getElementById("state").textContent)), heard = {};
const model = {
  offline: true,
  get: (name) => state[name],
  set(name, value) {
    if (state[name] === value) return;
    state[name] = value;
    for (const call of heard["change:" + name] ?? []) call();
  },
  on: (event, call) => (heard[event] ??= []).push(call),
  off: (event, call) => { heard[event] = (heard[event] ?? []).filter((each) => each !== call); },
  save_changes() {},
  send() {},
};
shown.render({ model, el: document.getElementById("view") });
"""


def write(view, path, title: str) -> Path:
    """Write `view` into the file `path`; returns the path."""
    state = {name: value for name, value in view.get_state().items() if name not in UNWANTED}
    # With < and its like escaped, no text of the state can end the script element.
    text = json.dumps(state, default=_packed).replace("<", "\\u003c")
    esm = view._esm.replace("export default", "const shown =")
    path = Path(path)
    page = PAGE.format(title=escape(title), css=view._css, state=text, esm=esm + SHIM)
    path.write_text(page, encoding="utf-8")
    return path


def _packed(value):
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(f"The state of a view is JSON and bytes. Received: {type(value).__name__}.")
