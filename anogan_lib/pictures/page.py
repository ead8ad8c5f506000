"""Write a page as one file: its style and script inside, and a policy that lets no others run."""

import base64
import hashlib
import json
from html import escape
from pathlib import Path
from string import Template

from anogan_lib.checks import printable
from anogan_lib.saving import write_text


def write_page(path, template: Path, style: str, script: str, state: dict, **texts: str) -> Path:
    """Fill a template and write it to `path`, whole or not at all; return the path.

    Args:
        template: HTML with $style, $script, $state and the names of the texts; its Content-Security-Policy names
            $style_digest and $script_digest.
        state: JSON and bytes; these become {"$bytes": in base64}.
        texts: any words, which are escaped.
    """
    parts = {name: escape(printable(text)) for name, text in texts.items()} | {"style": style, "script": script}
    for name in ("style", "script"):
        parts[f"{name}_digest"] = f"sha256-{base64_of(hashlib.sha256(parts[name].encode()).digest())}"
    parts["state"] = json.dumps(state, default=_packed).replace("<", "\\u003c")  # so no text can end its element
    write_text(path, Template(template.read_text(encoding="utf-8")).substitute(parts))
    return Path(path)


def _packed(value):
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$bytes": base64_of(value)}
    raise TypeError(f"The state of a page is JSON and bytes. Received: {type(value).__name__}.")


def base64_of(content) -> str:
    return base64.b64encode(content).decode()
