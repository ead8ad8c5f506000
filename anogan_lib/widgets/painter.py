"""Draw a defect on a good image, and see what the detector makes of it."""

import numpy as np
import traitlets as tr

from anogan_lib import figures, localisation
from anogan_lib.datasets.images import from_uint8, to_uint8
from anogan_lib.widgets.base import View, checked_images, number, script, sheet, style

STEPS = 20  # of the search where there is no encoder
LUMA = np.array([0.299, 0.587, 0.114])  # what a colour is worth in grey (ITU-R BT.601)


class DefectPainter(View):
    """A good image to draw on; at each lift of the brush the detector's map, score and verdict, and what it found.

    >>> painter = DefectPainter(detector, data.test.images[0])
    >>> scratch = np.zeros((64, 64), bool)
    >>> scratch[30:33, 12:50] = True
    >>> painter.paint(scratch)["found"]      # the share of what was drawn that lies above the pixel threshold
    >>> painter.undo()

    Args:
        detector: a calibrated AnoGAN.
        image: (H, W, C) or (1, H, W, C) in [-1, 1], a good one.
        steps: of the search; None for the encoder alone, or, without one, 20. The thresholds were set by
            the detector's own search, and hold for another one only roughly.

    Attributes:
        brush: its diameter in pixels; colour: "#rrggbb"; erase: whether it takes away instead.
        opacity: of the anomaly map over the image, 0 to 1.
        strokes: (H * W * 4,) bytes, RGBA: all that is drawn.
        answer: what the detector says: score, threshold, p_value, verdict ("normal" or "anomalous"), drawn (pixels),
            found (share of them above the pixel threshold), overlap (what is drawn and found over what is either); the
            last two None where there is nothing to compare.
        painted, reconstruction, map: the image with the strokes, and its G(z), (H, W, C); its anomaly map, (H, W).
    """

    _esm, _css = script("painter.js"), style("base.css", "live.css")
    _label = tr.Unicode("Draw a defect").tag(sync=True)
    _actions = ("undo", "clear")
    _follows = ("answer",)

    brush = tr.Int(3).tag(sync=True)
    colour = tr.Unicode("#f0d8b0").tag(sync=True)
    erase = tr.Bool(False).tag(sync=True)
    opacity = tr.Float(0.3).tag(sync=True)
    # From the browser come memoryviews; an echo to it would come while the next stroke is drawn.
    strokes = tr.Bytes().tag(sync=True, echo_update=False, from_json=lambda value, _: bytes(value))
    picture = tr.Dict().tag(sync=True)  # these three are sheets: the image, G(z), the map in colours
    similar = tr.Dict().tag(sync=True)
    overlay = tr.Dict().tag(sync=True)
    outline = tr.List().tag(sync=True)  # x, y, x, y of each piece of the border of what lies above the threshold
    answer = tr.Dict().tag(sync=True)

    def __init__(self, detector, image, steps: int | None = None):
        image = np.asarray(image)
        self.clean = checked_images(detector, image[None] if image.ndim == 3 else image)[0]  # (H, W, C)
        self.detector = detector
        self.steps = (0 if detector.encoder is not None else STEPS) if steps is None else steps
        self.pixel_threshold = detector.pixel_threshold
        self._past: list[bytes] = []
        super().__init__(strokes=bytes(4 * self.clean[..., 0].size), picture=sheet(to_uint8(self.clean[None])))
        self._judge()
        self.observe(self._drawn_anew, "strokes")

    # ---- drawing

    def paint(self, strokes) -> dict:
        """Draw these strokes in place of what is there: a mask (H, W) bool in the brush's colour, or (H, W, 4) uint8.

        Returns `answer`.
        """
        strokes, size = np.asarray(strokes), self.clean.shape[:2]
        if strokes.shape == size and strokes.dtype == bool:
            rgba = np.array([*bytes.fromhex(self.colour[1:]), 255], np.uint8)
            strokes = strokes[..., None] * rgba  # (H, W, 4)
        if strokes.shape != (*size, 4) or strokes.dtype != np.uint8:
            raise ValueError(
                f"paint takes a mask {size} of bool or RGBA {(*size, 4)} of uint8. "
                f"Received: {strokes.dtype} of shape {strokes.shape}"
            )
        self.strokes = strokes.tobytes()
        return self.answer

    def undo(self) -> None:
        """Take the last stroke back; does nothing where there is none."""
        if self._past:
            self.strokes = self._past.pop()
            self._past.pop()  # what the line above has put there

    def clear(self) -> None:
        """Take away all that is drawn; `undo` brings it back."""
        self.strokes = bytes(len(self.strokes))

    @property
    def rgba(self) -> np.ndarray:
        """The strokes, (H, W, 4) uint8."""
        return np.frombuffer(self.strokes, np.uint8).reshape(*self.clean.shape[:2], 4)

    @property
    def painted(self) -> np.ndarray:
        """The image with the strokes over it, (H, W, C) in [-1, 1]."""
        colours, alpha = from_uint8(self.rgba[..., :3]), self.rgba[..., 3:] / np.float32(255)  # (H, W, 3), (H, W, 1)
        if self.clean.shape[-1] == 1:
            colours = (colours @ LUMA)[..., None]
        return ((1 - alpha) * self.clean + alpha * colours).astype("float32")

    @tr.validate("strokes")
    def _whole(self, proposal):
        wanted = 4 * self.clean[..., 0].size
        if len(proposal["value"]) != wanted:
            raise ValueError(f"strokes are {wanted} bytes, RGBA. Received: {len(proposal['value'])}")
        return proposal["value"]

    def _drawn_anew(self, change) -> None:
        self._past.append(change["old"])
        self._judge()

    # ---- judging

    def _judge(self) -> None:
        said = self.detector.predict(self.painted[None], steps=self.steps)
        drawn, self.map = self.rgba[..., 3] > 0, said.maps[0]  # (H, W) both
        self.reconstruction = said.reconstruction[0]
        above = self.map > self.pixel_threshold
        colours = self._coloured()
        with self.hold_sync():
            self.similar, self.overlay = sheet(to_uint8(said.reconstruction)), sheet(colours[None])
            self.outline = localisation.outline(above).ravel().tolist()
            self.answer = {
                "score": float(said.scores[0]),
                "threshold": float(self.detector.threshold),
                "p_value": float(said.p_values[0]),
                "verdict": figures.CLASSES[int(said.verdicts[0])],
                "drawn": int(drawn.sum()),
                "found": float(above[drawn].mean()) if drawn.any() else None,
                "overlap": float((above & drawn).sum() / (above | drawn).sum()) if drawn.any() else None,
            }

    def _coloured(self) -> np.ndarray:
        """The map in colours, (H, W, 4) uint8, clear where it is low."""
        from matplotlib import colormaps

        level = np.clip(self.map / self.detector.map_scale, 0, 1)
        rgba = colormaps["magma"](level, bytes=True)
        rgba[..., 3] = np.where(level < 0.25, 0, 255)
        return rgba

    def _describe(self) -> str:
        a = self.answer
        if not a:
            return ""
        found = "Nothing is drawn"
        if a["drawn"]:
            found = f"{a['drawn']} pixels drawn, {100 * a['found']:.0f} % of them found (overlap {a['overlap']:.2f})"
        verdict = f"score {number(a['score'])}, threshold {number(a['threshold'])}: {a['verdict']}"
        return f"{found}; {verdict} (p = {a['p_value']:.2g})."

    def _about(self) -> str:
        return f"{'x'.join(map(str, self.clean.shape[:2]))} pixels"

    def still(self):
        a = self.answer
        mask = self.rgba[..., 3] > 0
        look = {"vmax": self.detector.map_scale, "threshold": a["threshold"], "mask": mask}
        return figures.comparison(self.painted, self.reconstruction, self.map, a["score"], **look)
