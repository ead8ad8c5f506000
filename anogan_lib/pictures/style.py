"""What all pictures share: an empty figure, and one colour, dash and name for each thing they show."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from anogan_lib.checks import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.Image import Image

# The same in every figure and view. Colours are Okabe and Ito's (Tol's wine for A): the colour-blind can distinguish
# them and, by lightness, so can a grey print. Lines also differ in dashes, points in shape.
COLOURS = {
    "residual": "#D55E00",
    "discrimination": "#56B4E9",
    "score": "#882255",
    "normal": "#0072B2",
    "anomalous": "#E69F00",
    "generator": "#009E73",
    "discriminator": "#56B4E9",
    "mask": "#00E5C8",
    "neutral": "#767676",
}
DASHES = {"residual": "-", "discrimination": "--", "score": "-.", "generator": "-", "discriminator": "--"}
PATTERNS = {"-": [], "--": [6, 4], "-.": [8, 3, 2, 3], ":": [2, 3]}  # the dashes on a canvas, in pixels
CLASSES = ("normal", "anomalous")
MARKERS = "o^sDvP*X"
PAGE = 7.2  # inches: the width of a page's text
DPI = 200
MAP_COLOURS = 48  # of magma's, in a picture's palette
SHOWN = 100  # pixels per inch on screen; the file has twice as many, for fine screens


def new_figure(width: float, height: float) -> "Figure":
    """Make an empty figure, in inches, that Jupyter shows even without `%matplotlib inline`.

    `figure.alt` is its alternative text, for those who cannot see it; the functions that draw add to it.
    """
    from io import BytesIO

    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)
    figure.alt = ""

    def png() -> tuple[bytes, dict]:
        file, small = BytesIO(), BytesIO()
        figure.savefig(file, format="png")
        in_few_colours(Image.open(file)).save(small, "png", optimize=True)
        wide, high = (round(SHOWN * inches) for inches in figure.get_size_inches())
        return small.getvalue(), {"width": wide, "height": high, "alt": figure.alt}

    figure._repr_png_ = png
    return figure


def in_few_colours(picture: "Image", count: int = 256) -> "Image":
    """Give a PIL image a palette: it looks the same, and its PNG is less than half as large.

    White stays white, and 48 of the colours are magma's, so that maps and colour bars stay smooth beside photographs.
    """
    from matplotlib import colormaps
    from PIL import Image

    picture, scale = picture.convert("RGB"), colormaps["magma"].resampled(MAP_COLOURS)
    own = picture.quantize(count - MAP_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette = Image.new("P", (1, 1))
    colours = [255 if level >= 250 else level for level in own.getpalette()]
    palette.putpalette(colours + scale(range(MAP_COLOURS), bytes=True)[:, :3].ravel().tolist())
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def described(figure: "Figure", text: str) -> "Figure":
    """Add a sentence to the figure's alternative text and return the figure."""
    figure.alt = f"{getattr(figure, 'alt', '')} {printable(text)}".strip()
    return figure


def plain(text) -> str:
    """Return a text as it is to be drawn: a $ in a name begins no formula, and every character can be drawn."""
    return printable(str(text)).replace("$", r"\$")


def new_axes(width: float = 4.6, height: float = 3.4) -> "Axes":
    """Make the axes of a new figure, in inches."""
    ax = new_figure(width, height).add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def drawing_script() -> str:
    """Return the JavaScript that pages and views draw with: COLOURS, DASHES and drawing.js."""
    dashes = {what: PATTERNS[style] for what, style in DASHES.items()}
    helpers = Path(__file__).with_name("drawing.js").read_text(encoding="utf-8")
    return f"const COLOURS = {json.dumps(COLOURS)};\nconst DASHES = {json.dumps(dashes)};\n{helpers}"
