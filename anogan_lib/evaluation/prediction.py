"""Prediction: what a detector says of images."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Prediction:
    """The detector's verdicts on N images.

    Attributes:
        scores: A(x), (N,).
        p_values: share of calibration images that score at least as high, (N,) in (0, 1].
        verdicts: True where anomalous, (N,).
        maps: where, (N, H, W); higher is more anomalous, on one scale for all images.
        residual, discrimination: R(x) and D(x) as raw sums, (N,).
        reconstruction: G(z), (N, H, W, C).
        losses: every loss by name, (N,) each, for `detector.combine` with another lambda.
    """

    scores: np.ndarray
    p_values: np.ndarray
    verdicts: np.ndarray
    maps: np.ndarray
    residual: np.ndarray
    discrimination: np.ndarray
    reconstruction: np.ndarray
    losses: dict[str, np.ndarray]
