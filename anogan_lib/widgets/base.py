"""What every view is made of: an anywidget with a caption, a still picture, actions and an exported page."""

import json
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import anywidget
import numpy as np
import traitlets as tr

from anogan_lib import figures
from anogan_lib.datasets.base import as_array
from anogan_lib.widgets import export

FOLDER = Path(__file__).parent


def script(name: str) -> str:
    """The module of one view: the figures' colours, base.js and the view's own file, one after the other."""
    parts = [(FOLDER / each).read_text(encoding="utf-8") for each in ("base.js", name)]
    return f"const COLOURS = {json.dumps(figures.COLOURS)};\n" + "\n".join(parts)


def style(*names: str) -> str:
    """These style sheets, one after the other."""
    return "\n".join((FOLDER / each).read_text(encoding="utf-8") for each in names)


class View(anywidget.AnyWidget):
    """A view; its state are traits, and every trait tagged `sync=True` is known to the browser.

    A subclass names its script (`_esm = script("its.js")`) and has

    - `_label`: what a screen reader calls it;
    - `_describe()`: the sentence for `caption`, and `_follows`, the traits after whose change it is asked for;
    - `still()`: a matplotlib Figure or a PIL image, for where no widget can be drawn;
    - `_about()`: what stands in the brackets of its repr;
    - `_actions`: names of methods that the browser may call with `v.ask(name, {...})`.

    Attributes:
        caption: the present state in words.
        busy: an action asked for by the browser is under way.
        problem: why the last action failed, one sentence, or "".
    """

    _css = style("base.css")
    _label: str = tr.Unicode("").tag(sync=True)
    caption = tr.Unicode("").tag(sync=True)
    busy = tr.Bool(False).tag(sync=True)
    problem = tr.Unicode("").tag(sync=True)

    _follows: ClassVar[tuple[str, ...]] = ()
    _actions: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **traits):
        super().__init__(**traits)
        self.on_msg(self._called)
        if self._follows:
            self.observe(self._retell, self._follows)
        self._retell()

    def _retell(self, _change=None) -> None:
        self.caption = self._describe()

    def _describe(self) -> str:
        return ""

    def _about(self) -> str:
        return ""

    def _called(self, _, content: dict, _buffers) -> None:
        """One action that the browser asks for. What goes wrong is told there: nobody reads the kernel's log."""
        if content.get("do") not in self._actions:
            return
        self.busy, self.problem = True, ""
        try:
            getattr(self, content["do"])(**content.get("with", {}))
        except (ValueError, TypeError) as error:
            self.problem = str(error)
        finally:
            self.busy = False

    def export_html(self, path, title: str | None = None) -> Path:
        """Write the view as one self-contained page that needs no kernel and no network."""
        return export.write(self, path, title or f"{self._label}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._about()})"

    def _repr_mimebundle_(self, **_):
        data, metadata = super()._repr_mimebundle_()
        return data | {"image/png": png(self.still())}, metadata


def png(picture) -> bytes:
    """A matplotlib Figure or a PIL image as PNG."""
    file = BytesIO()
    if hasattr(picture, "savefig"):
        picture.savefig(file, format="png")
    else:
        picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def number(value: float) -> str:
    """A figure for people, four digits, as `figure` in base.js writes it."""
    return f"{float(f'{float(value):.4g}'):.12g}"


def sheet(pictures: np.ndarray, columns: int | None = None, quality: int | None = None) -> dict:
    """Pictures (N, H, W), (N, H, W, 1) or (N, H, W, 3) uint8 as one image file of many tiles, for `v.sheet` in base.js.

    Args:
        quality: of JPEG; None for PNG, which is exact.

    Returns:
        {"data": bytes, "type": MIME type, "count": N, "columns": tiles in a row, "width": W, "height": H}
    """
    from PIL import Image

    pictures = pictures if pictures.ndim == 4 else pictures[..., None]
    count, height, width, channels = pictures.shape
    columns = min(columns or int(np.ceil(np.sqrt(count))), count)
    rows = -(-count // columns)
    tiles = np.zeros((rows * columns, height, width, channels), np.uint8)
    tiles[:count] = pictures
    whole = tiles.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    whole = whole.reshape(rows * height, columns * width, channels)
    file = BytesIO()
    image = Image.fromarray(whole[..., 0] if channels == 1 else whole)
    options = {} if quality is None else {"quality": quality, "subsampling": 0}  # no colour runs into the next tile
    image.save(file, "PNG" if quality is None else "JPEG", **options)
    kind = "image/png" if quality is None else "image/jpeg"
    shape = {"count": count, "columns": columns, "width": width, "height": height}
    return {"data": file.getvalue(), "type": kind} | shape


def resized(pictures: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pictures (N, H, W) or (N, H, W, 3) uint8 at another size; a pixel is the mean of those it covers."""
    from PIL import Image

    if pictures.shape[1:3] == (height, width):
        return pictures
    box = Image.Resampling.BOX
    return np.stack([np.asarray(Image.fromarray(each).resize((width, height), box)) for each in pictures])


def checked_images(detector, images) -> np.ndarray:
    """The images of an array, a split or a tf.data.Dataset as (N, H, W, C) of the detector's shape."""
    images = as_array(images)
    if images.shape[1:] != detector.image_shape:
        raise ValueError(f"This detector takes images of shape {detector.image_shape}. Received: {images.shape[1:]}.")
    return images
