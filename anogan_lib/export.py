"""Export a detector as one graph, for machines without TensorFlow: an image goes in, A(x), p-value and map come out.

The networks, background filters, spreads, calibration scores and the threshold are constants of the graph. A card of
the detector travels in the same file: `anogan_lib.litert` reads it, and scores images with a .tflite file.
"""

import importlib.util
import json
import os
import zlib
from contextlib import suppress
from copy import copy
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from anogan_lib import __version__, saving
from anogan_lib.evaluation import thresholds
from anogan_lib.litert import CARD
from anogan_lib.scores.background import Background

FORMATS = {".tflite": "litert", ".onnx": "onnx", "": "tf_saved_model"}
OUTPUTS = {
    "score": "A(x), (N,)",
    "p_value": "share of calibration images that score at least as high, (N,)",
    "verdict": "true where the score is above the threshold, (N,)",
    "map": "where, (N, H, W)",
    "reconstruction": "G(z), (N, H, W, C) in [-1, 1]",
    "residual": "R(x), (N,)",
    "discrimination": "D(x), (N,)",
}


def write(detector, path) -> None:
    """Write a calibrated detector, whole or not at all, for machines without TensorFlow.

    Args:
        detector: an `AnoGAN` whose way to z is the encoder alone.
        path: FILE.tflite for LiteRT, which takes one image at a time; FILE.onnx for ONNX; or a folder, which does not
            exist yet or is empty, for a TensorFlow SavedModel.

    Raises:
        ValueError: the detector searches for z or has no threshold, the path has another ending, or tf2onnx is missing.
    """
    path = Path(os.path.realpath(path))
    kind = _check(detector, path)
    about = card(detector)
    graph, batch = Graph(detector), 1 if kind == "litert" else None
    graph(np.zeros((1, *detector.image_shape), "float32"))
    options = {"input_signature": [keras.InputSpec("float32", (batch, *detector.image_shape), name="image")]}
    if kind == "litert":
        options["target_spec"] = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}  # any runtime has these
        options["experimental_enable_resource_variables"] = False  # weights are constants
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as folder:
        made = Path(folder) / path.name
        graph.export(made, format=kind, verbose=False, **options)
        _add_card(made, kind, about)
        os.replace(made, path)


def card(detector) -> dict:
    """Return what a user has to know of an exported detector; `LiteDetector` reads the calibration scores from it."""
    about = {name: detector.card[name] for name in ("data", "description") if name in detector.card}
    about |= {name: getattr(detector, name) for name in ("recipe", "score", "lam", "steps", "false_alarm_rate")}
    about |= {"threshold": float(detector.threshold), "map_scale": detector.map_scale}
    with suppress(ValueError):  # calibrated without the maps of this score
        about["pixel_threshold"] = float(detector.pixel_threshold)
    about |= {"image_shape": list(detector.image_shape), "value_range": [-1, 1], "outputs": OUTPUTS}
    about["file_range"] = detector.value_range  # what becomes -1 and 1 in files of more than 8 bits a channel, or None
    if "images" in detector.card:
        about["images"] = detector.card["images"]
    about["versions"] = {"anogan_lib": __version__, "tensorflow": tf.__version__, "keras": keras.__version__}
    groups = detector.calibration.groups
    about["calibration_groups"] = None if groups is None else groups.tolist()
    about["estimate"] = detector.calibration.estimate
    return about | {"calibration_scores": detector.calibration_scores.tolist()}


class Graph(keras.Model):
    """A detector without a search as one model: images (N, H, W, C) in [-1, 1] -> the values that OUTPUTS names."""

    def __init__(self, detector):
        super().__init__()
        self.search = detector.ways.lanes["encoder"].search
        self.layers_compared = detector.scores.feature_layers(detector.score)  # f is the last
        self.networks = [self.search.encoder, self.search.generator]
        self.within, self.lam = detector.ways.within, detector.lam
        self.threshold, self.calibration_scores = np.float32(detector.threshold), detector.calibration_scores
        groups = detector.calibration.groups
        groups = np.arange(len(self.calibration_scores)) if groups is None else groups
        self.shares = thresholds.group_weights(groups).astype("float32")
        self.score = copy(detector.scores[detector.score])
        if backgrounds := getattr(self.score, "backgrounds", None):
            self.score.backgrounds = {name: Constant(**asdict(each)) for name, each in backgrounds.items()}

    def call(self, image):
        x = self.within(image)
        features_x = keras.tree.flatten(self.layers_compared(x, training=False))
        residual, discrimination, y = self.search.losses(x, features_x[-1], self.search.start(x, restart=0, seed=0))
        features_y = keras.tree.flatten(self.layers_compared(y, training=False))
        losses = {"residual": residual, "discrimination": discrimination}
        a = self.score.combine(losses | self.score.losses(x, y, features_x, features_y), self.lam)
        at_least = ops.cast(self.calibration_scores >= a[:, None], "float32")  # see thresholds.p_values
        p_value = (1.0 + ops.sum(self.shares * at_least, axis=1)) / (1.0 + self.shares.sum())
        verdict = a > self.threshold
        values = (a, p_value, verdict, self.score.maps(x, y), y, residual, discrimination)
        return dict(zip(OUTPUTS, values, strict=True))


class Constant(Background):
    """A background whose arrays become constants of the graph that calls it; ONNX has no other place for them."""

    _tensors = property(lambda self: (self.mean, self.directions, self.damping))


def _check(detector, path: Path) -> str:
    """Return the format that a path asks for."""
    if detector.init != "encoder" or detector.steps:
        raise ValueError(
            "Only a detector that finds z by its encoder alone can be exported, one of recipe best or f-anogan with "
            f"steps=0. Received: {detector!r}, which searches in {detector.steps} steps."
        )
    if path.suffix not in FORMATS:
        raise ValueError(f"Name a FILE.tflite, a FILE.onnx, or a folder without such an ending. Received: {path}")
    if path.suffix and path.exists() and not path.is_file():
        raise ValueError(f"{path} is no file that could be replaced; name another one.")
    if not path.suffix and path.exists() and (path.is_file() or any(path.iterdir())):
        raise ValueError(f"{path} exists already; name an empty or a new folder.")
    if path.suffix == ".onnx" and importlib.util.find_spec("tf2onnx") is None:
        raise ValueError('ONNX needs a converter: pip install "anogan_lib[onnx]"')
    return FORMATS[path.suffix]


def _add_card(made: Path, kind: str, about: dict) -> None:
    if kind == "litert":  # a zip archive at its end, as LiteRT's own metadata
        content = made.read_bytes()
        about = about | {"bytes": len(content), "crc32": zlib.crc32(content)}
        with ZipFile(made, "a", ZIP_DEFLATED) as archive:
            archive.writestr(CARD, json.dumps(about))
    elif kind == "onnx":
        import onnx

        model = onnx.load(made)
        onnx.helper.set_model_props(model, {"card": json.dumps(about)})
        onnx.save(model, made)
    else:
        saving.write_json(made / CARD, about)
