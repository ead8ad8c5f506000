"""The anomaly map over its image: opacity, colours, cut-off, outline, and the pixel under the pointer."""

import numpy as np
import traitlets as tr
from PIL import Image

from anogan_lib import pictures
from anogan_lib.checks import whole
from anogan_lib.datasets.images import from_uint8, resize_all
from anogan_lib.evaluation.calibration import Prediction
from anogan_lib.evaluation.regions import outline
from anogan_lib.widgets.base import View, check_same, checked, image_names, map_scale, number, script, sheet

COLOUR_MAPS = ("viridis", "magma", "cividis", "gray", "jet")  # jet last: its bright bands draw edges where are none
BUDGET = 4_500_000  # bytes of pictures; above it they are sent coarser
COARSENESS = ((None, 1), (85, 1), (85, 2), (75, 4), (60, 8))  # quality of JPEG (None: exact), how many times smaller
LEVELS = 255
SENTENCE = (
    "{name}: {verdict}Residual in {colour_map}, opacity {opacity} %, cut-off {cutoff}; "
    "{above} % of the pixels lie above it.{pixel}"
)
PIXEL = " Pixel {x}, {y}: residual {residual}, image {images}, G(z) {similar}{inside}."


class ResidualOverlay(View):
    """Lay the anomaly map over its image, with the opacity, colours and cut-off that you choose.

    All images share one scale, and the browser alone answers.

    >>> overlay = ResidualOverlay(detector, data.test)
    >>> overlay.index, overlay.cutoff, overlay.view = 7, 0.2, "swipe"

    Args:
        detector: an AnoGAN; a calibrated one gives verdicts as well.
        images: (N, H, W, C) in [-1, 1]; an array or a split, whose masks and names are shown.
        prediction: the Prediction of `detector.predict` or the Inversion of `detector.invert` for these very images;
            None to search now. The maps are those of the detector's score; an Inversion comes without verdicts.

    Attributes:
        index: the image shown.
        opacity: 0 shows the image alone, 1 the map alone.
        colour_map: one of COLOUR_MAPS.
        cutoff: the image stays clear where its map lies below, in the map's unit, 0 to `top`.
        outline: whether the true defect is outlined, where there are masks.
        view: "overlay", "swipe" (the image left of `swipe`, G(z) right of it) or "side by side".
        pixel: [x, y] of the pixel described in the caption, or [].
    """

    _esm = script("overlay.js")
    _label = tr.Unicode("Residual over the image").tag(sync=True)
    _sentences = tr.List([SENTENCE, PIXEL]).tag(sync=True)
    _follows = ("index", "opacity", "colour_map", "cutoff", "pixel")

    index = tr.Int(0).tag(sync=True)
    opacity = tr.Float(0.7, min=0, max=1).tag(sync=True)
    colour_map = tr.Enum(COLOUR_MAPS, "magma").tag(sync=True)
    cutoff = tr.Float(0.0, min=0).tag(sync=True)
    outline = tr.Bool(True).tag(sync=True)
    view = tr.Enum(("overlay", "swipe", "side by side"), "overlay").tag(sync=True)
    swipe = tr.Float(0.5, min=0, max=1).tag(sync=True)
    pixel = tr.List(tr.Int()).tag(sync=True)
    top = tr.Float(1.0, help="the map value of the last colour").tag(sync=True)
    names = tr.List(tr.Unicode()).tag(sync=True)
    verdicts = tr.List(tr.Unicode(), help="score and verdict of each image, a sentence or nothing").tag(sync=True)
    palettes = tr.Dict(help="256 colours, RGB, for each colour map").tag(sync=True)
    sheets = tr.Dict(help="images, similar images G(z), maps (and masks)").tag(sync=True)
    outlines = tr.List(help="the border of each mask, x, y, x, y in uint16").tag(sync=True)

    def __init__(self, detector, images, prediction=None):
        from matplotlib import colormaps

        split = checked(detector, images)
        self.images = split.images
        if prediction is None:
            prediction = detector.invert(split)
            if detector.calibration is not None:
                prediction = detector.judge(prediction)
        judged = isinstance(prediction, Prediction)
        maps = prediction.maps if judged else detector.maps(prediction)
        check_same("prediction", split, maps)
        verdicts = [""] * len(split)
        if judged:
            threshold = number(detector.threshold)
            verdicts = [
                f"score {number(score)}, called {pictures.CLASSES[int(verdict)]} at the threshold {threshold}. "
                for score, verdict in zip(prediction.scores, prediction.verdicts, strict=True)
            ]
        top = map_scale(detector, maps)
        sheets, self._shown = _fit(self.images, prediction.reconstruction, maps / top, split.masks)
        super().__init__(
            top=top,
            cutoff=round(pictures.CUT_OFF * top, 4),
            names=image_names(split),
            verdicts=verdicts,
            palettes={name: colormaps[name](np.arange(256), bytes=True)[:, :3].tobytes() for name in COLOUR_MAPS},
            sheets=sheets,
            outlines=[(outline(mask > 127) + 0.5).astype("uint16").tobytes() for mask in self._shown.get("masks", ())],
        )

    @tr.validate("index", "pixel")
    def _inside(self, proposal):
        name, value = proposal.trait.name, proposal.value
        if name == "index":
            return whole(name, value, 0, len(self.images) - 1)
        high, wide = self._shown["maps"].shape[1:]
        if value and not (len(value) == 2 and 0 <= value[0] < wide and 0 <= value[1] < high):
            raise ValueError(f"pixel is [x, y] with x below {wide} and y below {high}. Received: {value}.")
        return value

    # ---- the state

    def _describe(self) -> str:
        shown = {name: tiles[self.index] for name, tiles in self._shown.items()}
        levels = shown["maps"] * (self.top / LEVELS)  # (H, W), as coarse as the browser has it
        pixel = ""
        if self.pixel:
            x, y = self.pixel
            inside = "masks" in shown and shown["masks"][y, x] > 127
            values = {name: _colour(shown[name][y, x]) for name in ("images", "similar")}
            more = " or more" if shown["maps"][y, x] == LEVELS else ""  # the map goes on where the colours end
            values |= {"residual": number(levels[y, x]) + more, "inside": ", in the true defect" if inside else ""}
            pixel = PIXEL.format(x=x, y=y, **values)
        values = {"name": self.names[self.index], "verdict": self.verdicts[self.index], "colour_map": self.colour_map}
        values |= {"opacity": round(100 * self.opacity), "cutoff": number(self.cutoff), "pixel": pixel}
        return SENTENCE.format(**values, above=number(100 * (levels >= self.cutoff).mean()))

    def still(self):
        """Draw image, G(z) and the map over the image as they are set, as a matplotlib Figure."""
        shown = {name: tiles[self.index] for name, tiles in self._shown.items()}
        image, similar = (from_uint8(shown[name]) for name in ("images", "similar"))
        look = {"vmax": self.top, "opacity": self.opacity, "cut_off": self.cutoff, "colour_map": self.colour_map}
        over = pictures.overlay_image(image, shown["maps"] * (self.top / LEVELS), **look)
        return pictures.image_grid(np.stack([image, similar, from_uint8(over)]), ["image", "G(z)", "residual"])


def _colour(pixel: np.ndarray) -> str:
    """Write one pixel's channels in [-1, 1]; a grey one once."""
    values = [f"{value / 127.5 - 1:.2f}" for value in pixel]
    return values[0] if len(set(values)) == 1 else ", ".join(values)


def _fit(images, similar, levels, masks) -> tuple[dict, dict]:
    """Return the pictures as sheets within the budget, exact or coarser, and the same as arrays uint8."""
    tiles = {
        "images": np.stack([pictures.rgb(each) for each in images]),
        "similar": np.stack([pictures.rgb(each) for each in similar]),
        "maps": np.rint(np.clip(levels, 0, 1) * LEVELS).astype(np.uint8),
    }
    if masks is not None:
        tiles["masks"] = masks.astype(np.uint8) * 255
    for quality, times in COARSENESS:
        size = tuple(max(1, side // times) for side in images.shape[1:3])
        shown = {name: resize_all(each, size, Image.Resampling.BOX) for name, each in tiles.items()}
        qualities = {"images": quality, "similar": quality}  # maps and masks stay exact
        sheets = {name: sheet(each, quality=qualities.get(name)) for name, each in shown.items()}
        if sum(len(each["data"]) for each in sheets.values()) <= BUDGET:
            break
    return sheets, shown
