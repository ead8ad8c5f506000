"""Score images with an exported detector, FILE.tflite: neither TensorFlow nor Keras is needed, nor imported."""

import math
import os
import re
import zlib
from pathlib import Path

import numpy as np

from anogan_lib.checks import flag, real, whole
from anogan_lib.datasets.images import check_range
from anogan_lib.evaluation import thresholds
from anogan_lib.evaluation.calibration import Calibration, Prediction
from anogan_lib.training.reading import archive, naming, parsed, read_plain

CARD, MOST_CARD = "card.json", 2**24  # bytes
MOST_BYTES, MOST_HELD = 2**31, 2**32  # of the file, and of all that the graph computes: at most for 256x256
OUTPUTS = {"score", "map", "reconstruction", "residual", "discrimination"}  # that are used


class LiteDetector:
    """A detector in a .tflite file that `export.write` made, used like an `AnoGAN`.

    >>> detector = LiteDetector("my_detector.tflite")
    >>> detector.predict(images).verdicts

    Attributes:
        card: what is known of it. image_shape, recipe, score, lam, steps, map_scale, value_range: from the card.
        calibration_scores: A(x) of the calibration images, (n,).
        false_alarm_rate: may be set at any time; threshold and verdicts follow.
    """

    def __init__(self, path):
        try:
            from ai_edge_litert.interpreter import Interpreter, OpResolverType
        except ModuleNotFoundError:
            raise ValueError('A .tflite file needs the LiteRT runtime: pip install "anogan_lib[litert]"') from None
        self.card = about = read_card(path)
        self.image_shape, self.calibration_scores = tuple(about["image_shape"]), about["calibration_scores"]
        learned = {"score": self.calibration_scores}
        if about["calibration_groups"] is not None:
            learned["groups"] = about["calibration_groups"]
        self.calibration = Calibration(learned, estimate=about.get("estimate", False))
        for name in ("recipe", "score", "lam", "steps", "map_scale", "false_alarm_rate"):
            setattr(self, name, about[name])
        self.value_range = about.get("file_range")
        # The default delegate would keep further copies of all weights, and is hardly faster for one image.
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        threads = min(4, os.cpu_count() or 1)
        with naming(path):
            made = Interpreter(str(path), num_threads=threads, experimental_op_resolver_type=plain)
            self._interpreter, self._run = made, made.get_signature_runner()
            shape = tuple(map(int, self._run.get_input_details()["image"]["shape"]))
            if shape != (1, *self.image_shape) or not self._run.get_output_details().keys() >= OUTPUTS:
                raise ValueError("its graph is not the one that its card describes")
            if 4 * sum(math.prod(map(int, each["shape"])) for each in made.get_tensor_details()) > MOST_HELD:
                raise ValueError(f"its graph takes more than {MOST_HELD:,} bytes")

    @property
    def threshold(self) -> thresholds.Threshold:
        """A(x) above this is anomalous."""
        return self.calibration.threshold(self.calibration_scores, self.false_alarm_rate)

    def predict(self, images) -> Prediction:
        """Return scores, p-values, verdicts and maps of images (N, H, W, C) in [-1, 1]."""
        images = np.asarray(images, "float32")
        if images.ndim != 4 or images.shape[1:] != self.image_shape or not len(images):
            wanted = " x ".join(map(str, self.image_shape))
            raise ValueError(f"The detector takes images (N, H, W, C) of {wanted}. Received: shape {images.shape}.")
        found = [self._run(image=image[None]) for image in images]
        found = {name: np.concatenate([each[name] for each in found]) for name in found[0]}
        a, losses = found["score"], {name: found[name] for name in ("residual", "discrimination")}
        p_values = self.calibration.p_values(self.calibration_scores, a)
        verdicts = self.threshold.verdicts(a)
        return Prediction(a, p_values, verdicts, found["map"], *losses.values(), found["reconstruction"], losses)

    def drift(self, scores) -> tuple[float, str]:
        """Compare the scores of new images, as a whole, with the calibration images'; see `thresholds.drift`."""
        return thresholds.drift(self.calibration_scores, scores)


def read_card(path) -> dict:
    """Read the card of a .tflite file. Raises ValueError where the file is damaged or not what `export` writes."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {path}; `anogan export DETECTOR --out {path}` makes one.")
    with naming(path):
        content = read_plain(path, MOST_BYTES)
        with archive(content) as zipped, zipped.open(CARD) as file:
            about = parsed(file.read(MOST_CARD))
        graph = memoryview(content)[: whole("bytes", about["bytes"], 0)]  # a copy would take as much again
        if zlib.crc32(graph) != about["crc32"]:
            raise ValueError("its checksum is not the one in its card; was it written by anogan export?")
        shape = [whole("a side, or the channels", each, 1, 256) for each in about["image_shape"]]
        scores, groups = thresholds.check_scores(about["calibration_scores"]), about.get("calibration_groups")
        groups = groups and np.array([whole("a group", each, 0) for each in groups])
        about |= {"image_shape": shape, "calibration_scores": scores, "calibration_groups": groups}
        thresholds.p_values(scores, scores[:1], groups)  # there are as many
        if not all(re.fullmatch("[a-z-]{1,40}", about[name]) for name in ("recipe", "score")):
            raise ValueError("its recipe or its score is not known")
        for name, most in (("lam", 1), ("map_scale", math.inf), ("steps", 0)):
            real(name, about[name], 0, most)
        thresholds.check_rate(about["false_alarm_rate"])
        flag("estimate", about.get("estimate", False))
        if about.get("file_range") is not None:
            check_range(about["file_range"])
    return about
