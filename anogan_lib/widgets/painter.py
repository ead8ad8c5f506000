"""Draw a defect on a good image, and see whether the detector finds it."""

import numpy as np
import traitlets as tr

from anogan_lib import pictures
from anogan_lib.datasets.images import from_uint8, to_uint8
from anogan_lib.evaluation.regions import outline
from anogan_lib.widgets.base import View, checked, number, script, sheet

LUMA = np.array([0.299, 0.587, 0.114])  # the weight of each colour in grey (ITU-R BT.601)


class DefectPainter(View):
    """Draw on a good image; each time the brush is lifted, the detector gives its map, score and verdict.

    >>> painter = DefectPainter(detector, data.test.images[0])
    >>> scratch = np.zeros((64, 64), bool)
    >>> scratch[30:33, 12:50] = True
    >>> painter.paint(scratch)["found"]      # the share of the drawn pixels that lies above the pixel threshold
    >>> painter.undo()

    Args:
        detector: a calibrated AnoGAN.
        image: (H, W, C) or (1, H, W, C) in [-1, 1], a good one.

    Attributes:
        brush: its diameter in pixels; colour: "#rrggbb"; erase: whether it takes away instead.
        opacity: of the anomaly map over the image, 0 to 1.
        strokes: all that is drawn, (H, W, 4) RGBA as bytes; `rgba` is the same as an array.
        answer: the detector's: score, threshold, p_value, verdict ("normal" or "anomalous"), drawn (pixels), found
            (share of them above the pixel threshold), overlap (intersection over union of what is drawn and what is
            found); the last two None where nothing is drawn.
        reconstruction, map: G(z) of the painted image, (H, W, C), and its anomaly map, (H, W).
    """

    _esm = script("painter.js")
    _label = tr.Unicode("Draw a defect").tag(sync=True)
    _actions = ("undo", "clear")
    _follows = ("answer",)

    brush = tr.Int(3, min=1).tag(sync=True)
    colour = tr.Unicode("#f0d8b0").tag(sync=True)
    erase = tr.Bool(False).tag(sync=True)
    opacity = tr.Float(0.3, min=0, max=1).tag(sync=True)
    # The browser sends memoryviews; an echo to it would arrive while the next stroke is drawn.
    strokes = tr.Bytes().tag(sync=True, echo_update=False, from_json=lambda value, _: bytes(value))
    picture = tr.Dict().tag(sync=True)  # these three are sheets: the image, G(z), the map in colours
    similar = tr.Dict().tag(sync=True)
    overlay = tr.Dict().tag(sync=True)
    outline = tr.List().tag(sync=True)  # x, y, x, y of each piece of the border of what lies above the threshold
    answer = tr.Dict().tag(sync=True)

    def __init__(self, detector, image):
        image = np.asarray(image)
        self.clean = checked(detector, image[None] if image.ndim == 3 else image).images[0]  # (H, W, C)
        self.detector, self.pixel_threshold = detector, detector.pixel_threshold
        self._past: list[bytes] = []
        self._judged: list[dict] = []  # what each judgement has shown
        super().__init__(strokes=bytes(4 * self.clean[..., 0].size), picture=sheet(to_uint8(self.clean[None])))
        self._judge()
        self.observe(self._judge_stroke, "strokes")

    def _judge_stroke(self, change) -> None:
        self._past.append(change["old"])
        self._judge()

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
            self._past.pop()  # the stroke taken back, which the line above has put there

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
        colours, alpha = from_uint8(self.rgba[..., :3]), self.rgba[..., 3:] / 255  # (H, W, 3), (H, W, 1)
        if self.clean.shape[-1] == 1:
            colours = (colours @ LUMA)[..., None]
        return ((1 - alpha) * self.clean + alpha * colours).astype("float32")

    @tr.validate("strokes")
    def _whole(self, proposal):
        wanted = 4 * self.clean[..., 0].size
        if len(proposal.value) != wanted:
            raise ValueError(f"strokes are {wanted} bytes, RGBA. Received: {len(proposal.value)}")
        return proposal.value

    # ---- judging

    def _judge(self) -> None:
        """Have the detector judge the painted image by its own search."""
        from matplotlib import colormaps

        found = self.detector.predict(self.painted[None])
        self.reconstruction, self.map = found.reconstruction[0], found.maps[0]
        drawn, above = self.rgba[..., 3] > 0, self.map > self.pixel_threshold  # (H, W) both
        level = np.clip(self.map / self.detector.map_scale, 0, 1)
        coloured = colormaps["magma"](level, bytes=True)  # (H, W, 4), clear where the map is low
        coloured[level < pictures.CUT_OFF, 3] = 0
        with self.hold_sync():
            self.similar, self.overlay = sheet(to_uint8(found.reconstruction)), sheet(coloured[None])
            self.outline = (outline(above) + 0.5).ravel().tolist()
            self.answer = {
                "score": float(found.scores[0]),
                "threshold": float(self.detector.threshold),
                "p_value": float(found.p_values[0]),
                "verdict": pictures.CLASSES[int(found.verdicts[0])],
                "drawn": int(drawn.sum()),
                "found": float(above[drawn].mean()) if drawn.any() else None,
                "overlap": float((above & drawn).sum() / (above | drawn).sum()) if drawn.any() else None,
            }

        shown = ("strokes", "similar", "overlay", "outline", "answer", "caption")
        self._judged.append({name: getattr(self, name) for name in shown})

    def _answers(self):
        return [({"do": "play", "with": {}}, self._judged)]

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
        """Draw the painted image, its G(z) and the anomaly map, as a matplotlib Figure."""
        a = self.answer
        look = {"vmax": self.detector.map_scale, "threshold": a["threshold"], "mask": self.rgba[..., 3] > 0}
        return pictures.comparison(self.painted, self.reconstruction, self.map, a["score"], **look)
