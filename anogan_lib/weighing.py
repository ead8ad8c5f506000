"""Which lambda? AUROC over lambda, re-weighted from one search or searched anew for each.

Labels are needed, and those of the test images flatter: the best lambda of such a curve is a finding about these
images, not a setting to go and use. Choose one on labelled images of your own that are not tested on.
"""

from collections.abc import Sequence

import numpy as np

from anogan_lib import metrics, scoring

LAMS = tuple(np.linspace(0, 1, 11).round(1).tolist())


def auroc_reweighted(detector, found, labels: np.ndarray, lams: Sequence[float] = LAMS) -> np.ndarray:
    """AUROC for each lambda from the losses of one search, under the detector's score: (L,).

    The search itself minimised L(z) under one lambda; what z it would have found under another is not asked. See
    `auroc_searched_anew`.

    Args:
        detector: an AnoGAN; its score and spreads are used, its lambda is not.
        found: an Inversion or a Prediction of N images.
        labels: (N,) of 0 and 1, at least one of each.
        lams: L values in [0, 1].
    """
    return np.array(
        [metrics.auroc(labels, scoring.combine(found.losses, lam, detector.score, detector.spreads)) for lam in lams]
    )


def auroc_searched_anew(detector, images, labels: np.ndarray, lams: Sequence[float] = LAMS, **options) -> np.ndarray:
    """AUROC for each lambda, z searched for anew with that lambda in L(z): (L,). L times the work of one search.

    The spreads stay those of the detector's own search. From an encoder without steps there is no search, and the
    curve is that of `auroc_reweighted`.

    Args:
        images: (N, H, W, C) in [-1, 1]; an array, a split or a tf.data.Dataset.
        options: steps, restarts, init and others, as in `detector.invert`.
    """
    return np.array(
        [
            metrics.auroc(labels, detector.invert(images, lam=lam, score=detector.score, **options).scores())
            for lam in lams
        ]
    )
