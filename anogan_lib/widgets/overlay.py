"""The residual over its image: opacity, colours, cut-off, outline, and the pixel under the pointer."""

from typing import ClassVar

import numpy as np
import traitlets as tr

from anogan_lib import figures
from anogan_lib.datasets.images import from_uint8
from anogan_lib.widgets.base import View, checked_images, number, resized, script, sheet

COLOUR_MAPS = ("viridis", "magma", "cividis", "gray", "jet")  # jet last: its bright bands draw edges where are none
VIEWS = ("overlay", "swipe", "side by side")
BUDGET = 4_500_000  # bytes of pictures; beyond them pictures are kept coarser
COARSENESS = ((None, 1), (85, 1), (85, 2), (75, 4), (60, 8))  # quality of JPEG (None: exact), how many times smaller
LEVELS = 255
SENTENCE = (
    "{name}: {said}Residual in {colour_map}, opacity {opacity} %, cut-off {cutoff}; "
    "{above} % of the pixels lie above it.{pixel}"
)
PIXEL = " Pixel {x}, {y}: residual {residual}, image {image}, G(z) {similar}{inside}."


class ResidualOverlay(View):
    """The anomaly map over its image, as strong, in the colours and from the value that you choose.

    One scale for all images. Everything is answered in the browser.

    >>> overlay = ResidualOverlay(detector, data.test)
    >>> overlay.index, overlay.cutoff, overlay.view = 7, 0.2, "swipe"

    Args:
        detector: an AnoGAN; where it is calibrated, the verdict is told.
        images: (N, H, W, C) in [-1, 1]; an array or a split, whose masks and names are shown.
        prediction: what `detector.predict` said of these very images; None to search now.

    Attributes:
        index: the image shown.
        opacity: 0 shows the image alone, 1 the map alone.
        colour_map: one of COLOUR_MAPS.
        cutoff: what lies below it on the map is left clear, in the map's unit, 0 to `top`.
        outline: whether the true defect is outlined, where there are masks.
        view: "overlay", "swipe" (the image left of `swipe`, G(z) right of it) or "side by side".
        pixel: [x, y] of the pixel told in the caption, or [].
    """

    _esm = script("overlay.js")
    _label = tr.Unicode("Residual over the image").tag(sync=True)
    _sentences = tr.List([SENTENCE, PIXEL]).tag(sync=True)
    _follows: ClassVar = ("index", "opacity", "colour_map", "cutoff", "pixel")

    index = tr.Int(0).tag(sync=True)
    opacity = tr.Float(0.7, min=0, max=1).tag(sync=True)
    colour_map = tr.Unicode("magma").tag(sync=True)
    cutoff = tr.Float(0.0).tag(sync=True)
    outline = tr.Bool(True).tag(sync=True)
    view = tr.Unicode("overlay").tag(sync=True)
    swipe = tr.Float(0.5, min=0, max=1).tag(sync=True)
    pixel = tr.List(tr.Int()).tag(sync=True)
    top = tr.Float(1.0, help="the map value of the last colour").tag(sync=True)
    names = tr.List(tr.Unicode()).tag(sync=True)
    said = tr.List(tr.Unicode(), help="score and verdict of each image, a sentence or nothing").tag(sync=True)
    palettes = tr.Dict(help="256 colours, RGB, for each colour map").tag(sync=True)
    sheets = tr.Dict(help="images, reconstructions, maps (and masks)").tag(sync=True)

    def __init__(self, detector, images, prediction=None):
        from matplotlib import colormaps

        self.images = checked_images(detector, images)
        masks, names, kinds = (getattr(images, name, None) for name in ("masks", "names", "kinds"))
        calibrated = detector.calibration is not None
        if prediction is None:
            found = detector.invert(self.images)
            prediction = detector.judge(found) if calibrated else found
        maps = prediction.maps() if callable(prediction.maps) else prediction.maps
        if len(maps) != len(self.images):
            raise ValueError(
                f"The prediction must be that of these {len(self.images)} images. Received: one of {len(maps)}."
            )
        known = detector.spreads is not None
        top = detector.map_scale if known else figures.common_scale(maps)
        sheets, self._shown = _fit(self.images, prediction.reconstruction, maps / top, masks)
        names = [f"image {i}" for i in range(len(maps))] if names is None else names
        kinds = [""] * len(maps) if kinds is None else [f" ({kind})" for kind in kinds]
        said = [""] * len(maps)
        if calibrated and hasattr(prediction, "verdicts"):
            threshold = number(detector.threshold)
            said = [
                f"score {number(score)}, called {figures.CLASSES[int(verdict)]} at the threshold {threshold}. "
                for score, verdict in zip(prediction.scores, prediction.verdicts, strict=True)
            ]
        super().__init__(
            top=float(top),
            cutoff=round(float(top) / 4, 4),
            names=[f"{name}{kind}" for name, kind in zip(names, kinds, strict=True)],
            said=[str(each) for each in said],
            palettes={name: colormaps[name](np.arange(256), bytes=True)[:, :3].tobytes() for name in COLOUR_MAPS},
            sheets=sheets,
        )

    @tr.validate("index", "colour_map", "view", "cutoff", "pixel")
    def _known(self, proposal):
        name, value = proposal.trait.name, proposal.value
        choices = {"colour_map": COLOUR_MAPS, "view": VIEWS}.get(name)
        if choices and value not in choices:
            raise ValueError(f"{name} is one of {', '.join(choices)}. Received: {value!r}.")
        if name == "index" and not 0 <= value < len(self.images):
            raise ValueError(f"index is 0 to {len(self.images) - 1}. Received: {value}.")
        if name == "cutoff" and value < 0:
            raise ValueError(f"cutoff is a value of the map, at least 0. Received: {value}.")
        high, wide = self._shown["maps"].shape[1:]
        if name == "pixel" and value and not (len(value) == 2 and 0 <= value[0] < wide and 0 <= value[1] < high):
            raise ValueError(f"pixel is [x, y] with x below {wide} and y below {high}. Received: {value}.")
        return value

    # ---- the state

    def _describe(self) -> str:
        if not self.names:
            return ""
        levels = self._shown["maps"][self.index] * (self.top / LEVELS)  # (H, W), as coarse as the browser has it
        pixel = ""
        if self.pixel:
            x, y = self.pixel
            inside = "masks" in self._shown and self._shown["masks"][self.index, y, x]
            pixel = PIXEL.format(
                x=x,
                y=y,
                residual=number(levels[y, x]),
                image=_colour(self._shown["images"][self.index, y, x]),
                similar=_colour(self._shown["similar"][self.index, y, x]),
                inside=", in the true defect" if inside else "",
            )
        return SENTENCE.format(
            name=self.names[self.index],
            said=self.said[self.index],
            colour_map=self.colour_map,
            opacity=round(100 * self.opacity),
            cutoff=number(self.cutoff),
            above=number(100 * (levels >= self.cutoff).mean()),
            pixel=pixel,
        )

    def _about(self) -> str:
        return f"{len(self.images)} images"

    def still(self):
        """Image, G(z) and the map over the image as they are set, as a matplotlib Figure."""
        shown = {name: pictures[self.index] for name, pictures in self._shown.items()}
        image, similar = (from_uint8(shown[name]) for name in ("images", "similar"))
        look = {"vmax": self.top, "opacity": self.opacity, "cut_off": self.cutoff, "colour_map": self.colour_map}
        over = figures.overlay_image(image, shown["maps"] * (self.top / LEVELS), **look)
        return figures.image_grid(np.stack([image, similar, from_uint8(over)]), ["image", "G(z)", "residual"])


def _colour(pixel: np.ndarray) -> str:
    """One pixel's channels in [-1, 1], in words; grey once."""
    values = [f"{value / 127.5 - 1:.2f}" for value in pixel]
    return values[0] if len(set(values)) == 1 else ", ".join(values)


def _fit(images, similar, levels, masks) -> tuple[dict, dict]:
    """Sheets that keep to the budget, and the same pictures as arrays: exact ones where they fit, else coarser."""
    pictures = {
        "images": np.stack([figures.rgb(each) for each in images]),
        "similar": np.stack([figures.rgb(each) for each in similar]),
        "maps": np.rint(np.clip(levels, 0, 1) * LEVELS).astype(np.uint8),
    }
    if masks is not None:
        pictures["masks"] = np.asarray(masks).astype(np.uint8) * 255
    for quality, times in COARSENESS:
        size = [max(1, side // times) for side in images.shape[1:3]]
        shown = {name: resized(each, *size) for name, each in pictures.items()}
        exact = {"maps": None, "masks": None}
        sheets = {name: sheet(each, quality=exact.get(name, quality)) for name, each in shown.items()}
        if sum(len(each["data"]) for each in sheets.values()) <= BUDGET:
            break
    return sheets, shown
