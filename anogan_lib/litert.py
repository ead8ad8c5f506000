"""Score images with an exported detector, FILE.tflite: neither TensorFlow nor Keras is needed, nor imported."""

import json
import os
import zlib
from pathlib import Path
from zipfile import ZipFile

import numpy as np

from anogan_lib.evaluation import thresholds
from anogan_lib.evaluation.calibration import Calibration, Prediction

CARD, MOST_BYTES = "card.json", 2**24


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
        self.image_shape, self.calibration_scores = tuple(about["image_shape"]), np.array(about["calibration_scores"])
        learned = {"score": self.calibration_scores}
        if about.get("calibration_groups"):
            learned["groups"] = np.array(about["calibration_groups"])
        self.calibration = Calibration(learned, estimate=about.get("estimate", False))
        for name in ("recipe", "score", "lam", "steps", "map_scale", "false_alarm_rate"):
            setattr(self, name, about[name])
        self.value_range = about.get("file_range")
        # The default delegate would keep further copies of all weights, and is hardly faster for one image.
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        threads = min(4, os.cpu_count() or 1)
        self._interpreter = Interpreter(str(path), num_threads=threads, experimental_op_resolver_type=plain)
        self._run = self._interpreter.get_signature_runner()

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
    """Read the card of a .tflite file. Raises ValueError where the file is damaged or has none."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {path}; `anogan export DETECTOR --out {path}` makes one.")
    try:
        with ZipFile(path) as archive, archive.open(CARD) as file:
            about = json.loads(file.read(MOST_BYTES))
        with open(path, "rb") as file:
            left, checksum = about["bytes"], 0
            while left and (part := file.read(min(left, 2**20))):
                left, checksum = left - len(part), zlib.crc32(part, checksum)
        if left or checksum != about["crc32"]:
            raise ValueError("its checksum is not the one in its card")
    except Exception as error:  # whatever zipfile and json raise on damaged files
        raise ValueError(f"{path} is damaged, or was not written by anogan export: {error}.") from None
    return about
