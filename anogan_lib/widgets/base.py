"""What the views share: an anywidget with a caption, a still picture, actions and an exported page."""

import contextlib
import json
import math
import threading
from io import BytesIO
from pathlib import Path

import anywidget
import numpy as np
import traitlets as tr
from PIL import Image

from anogan_lib import pictures
from anogan_lib.checks import in_words, printable
from anogan_lib.datasets.base import Split, as_split, check_fit
from anogan_lib.pictures.page import write_page
from anogan_lib.pictures.style import drawing_script

FOLDER = Path(__file__).parent
NOT_EXPORTED = ("_esm", "_css", "layout", "tabbable", "tooltip")  # traits of a view


def file(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def script(name: str) -> str:
    """Return the module of one view: what all drawings share, base.js, and the view's own file."""
    return "\n".join([drawing_script(), file("base.js"), file(name)])


class View(anywidget.AnyWidget):
    """An interactive view. Its traits are its state; those tagged `sync=True` are shared with the browser.

    A subclass names its script (`_esm = script("its.js")`) and has

    - `_label`: the name that a screen reader reads out;
    - `_describe()`: the sentence for `caption`, and `_follows`, the traits that change it;
    - `still()`: a Figure of `pictures`, shown where no widget can be drawn;
    - `images`, or its own `_about()`, the text in the brackets of its repr;
    - `_actions`: names of methods that the browser may call with `v.ask(name, {...})`.

    A thread that sets traits holds `_lock`, so that no message from the browser is handled meanwhile.

    Attributes:
        caption: the present state in words.
        busy: whether an action of the browser is under way.
        problem: why the last message of the browser failed, in one sentence, or "".
    """

    _css = file("base.css")
    _label: str = tr.Unicode("").tag(sync=True)
    caption = tr.Unicode("").tag(sync=True)
    busy = tr.Bool(False).tag(sync=True)
    problem = tr.Unicode("").tag(sync=True)

    _follows: tuple[str, ...] = ()
    _actions: tuple[str, ...] = ()

    def __init__(self, **traits):
        self._lock = threading.RLock()
        super().__init__(**traits)
        self.on_msg(self._act)
        self.observe(self._update_caption, self._follows)
        self._update_caption()

    def _update_caption(self, _change=None) -> None:
        self.caption = self._describe()

    def set_state(self, sync_data) -> None:
        """Set traits to what the browser sends; ipywidgets calls this."""
        with self._lock, self._reporting():
            super().set_state(sync_data)

    def _act(self, _, content: dict, _buffers) -> None:
        """Do one action that the browser asks for."""
        if content.get("do") in self._actions:
            with self._working(), self._lock, self._reporting():
                getattr(self, content["do"])(**content.get("with", {}))

    @contextlib.contextmanager
    def _working(self):
        self.busy = True
        try:
            yield
        finally:
            self.busy = False

    @contextlib.contextmanager
    def _reporting(self):
        """Report any error as `problem`, in the browser: nobody reads the kernel's log."""
        self.problem = ""
        try:
            yield
        except tr.TraitError as error:
            self.problem = str(error)
        except Exception as error:
            self.problem = in_words(error)

    def _answers(self) -> list[tuple[dict, list[dict]]]:
        """Return what an exported page answers to the messages of `v.ask`: the traits to set, state after state."""
        return []

    def export_html(self, path, title: str | None = None) -> Path:
        """Write the view as one self-contained page that needs no kernel and no network."""
        state = {name: value for name, value in self.get_state().items() if name not in NOT_EXPORTED}
        answers = {json.dumps(message, separators=(",", ":")): states for message, states in self._answers()}
        style = file("page.css") + self._css
        script = self._esm.replace("export default", "const shown =") + file("page.js")  # in place of Jupyter's model
        parts = {"state": {"state": state, "answers": answers}, "title": title or self._label}
        return write_page(path, FOLDER / "page.html", style, script, **parts)

    @property
    def alt(self) -> str:
        """The alternative text of the view's still picture."""
        return f"{self._label}. {self.caption}"

    def _about(self) -> str:
        return f"{len(self.images)} images"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._about()})"

    def _repr_mimebundle_(self, **_):
        data, metadata = super()._repr_mimebundle_()
        png, about = self.still()._repr_png_()
        return data | {"image/png": png}, metadata | {"image/png": about | {"alt": self.alt}}


def sheet(tiles: np.ndarray, columns: int | None = None, quality: int | None = None) -> dict:
    """Pack pictures (N, H, W), (N, H, W, 1), (N, H, W, 3) or (N, H, W, 4) uint8 into one image file, for `v.sheet`.

    Args:
        columns: tiles in a row; None for about as many as rows.
        quality: of JPEG; None for PNG, which is exact.

    Returns:
        {"data": bytes, "type": MIME type, "count": N, "columns": tiles in a row, "width": W, "height": H}
    """
    count, height, width = tiles.shape[:3]
    columns = min(columns or math.ceil(math.sqrt(count)), count)
    tiles = [Image.fromarray(tile) for tile in (tiles[..., 0] if tiles.shape[3:] == (1,) else tiles)]
    whole = Image.new(tiles[0].mode, (columns * width, math.ceil(count / columns) * height))
    for i, tile in enumerate(tiles):
        whole.paste(tile, (i % columns * width, i // columns * height))
    file, kind = BytesIO(), "png" if quality is None else "jpeg"
    options = {} if quality is None else {"quality": quality, "subsampling": 0}  # colours stay within their tile
    whole.save(file, kind, **options)
    shape = {"count": count, "columns": columns, "width": width, "height": height}
    return {"data": file.getvalue(), "type": f"image/{kind}"} | shape


def checked(detector, images) -> Split:
    """Return the images as a Split. Raises ValueError where their shape is not the detector's."""
    split = as_split(images)
    check_fit("detector", detector.image_shape, split.image_shape)
    return split


def check_same(what: str, images, values) -> None:
    """Raise ValueError unless there is one value for each image."""
    if len(values) != len(images):
        raise ValueError(f"The {what} must be that of these {len(images)} images. Received: one of {len(values)}.")


def image_names(split: Split, kinds=None) -> list[str]:
    """Name each image: its own name, or "image 3", and its kind in brackets where the name does not hold it.

    Args:
        kinds: (N,) str; None for the split's own.
    """
    names = [f"image {i}" for i in range(len(split))] if split.names is None else list(map(printable, split.names))
    kinds = split.kinds if kinds is None else kinds
    if kinds is None:
        return names
    pairs = zip(names, map(printable, kinds), strict=True)
    return [name if kind in name else f"{name} ({kind})" for name, kind in pairs]


def map_scale(detector, maps: np.ndarray) -> float:
    """Return the map value of the last colour: the detector's, from normal images; before it has one, these maps'."""
    return float(detector.map_scale if detector.scores["standardised"].learned else pictures.common_scale(maps))


def number(value: float) -> str:
    """Write a number in four digits, as `number` in drawing.js does."""
    return f"{float(f'{float(value):.4g}'):.12g}"
