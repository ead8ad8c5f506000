"""The background: what G leaves unexplained on every normal image, and a filter that takes it out.

No G explains a normal image completely, and what it leaves is not noise: an edge is always a little off, the light
a little too even. Principal components of the differences x - G(z) of normal training images show these directions. A
Wiener filter then keeps of each component the share v0 / (v0 + v): v is the variance of normal images along it, and v0
that of an anomaly, which nobody knows and which is taken to be the same in all directions.

v0 is chosen without an anomaly, as the one with which validation images stand out most after a patch of another image
has been pasted into them. Where such patches are found anyway, they say nothing about v0, and fainter ones are pasted.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import tensorflow as tf
from keras import ops

from anogan_lib.datasets.base import Split, sample_images
from anogan_lib.training.augmentation import patch

SHARES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001, 0.00003, 0.00001)  # v0, of normal images' variance
DAMPED = 1 / 3  # components that would lose less than this share of themselves are left as they are
MOST_IMAGES, MOST_NUMBERS = 1000, 2**26  # training images, and numbers in all of their differences
MOST_DIRECTIONS = 512
MOST_COORDINATES = 2**22  # of all directions together; a byte each in a file
OPACITIES = (1.0, 0.5, 0.25)  # of the patches
FOUND = 0.95  # AUROC without a filter from which on patches are found anyway
PATCHED = 400  # validation images with a patch, where each costs one pass of the encoder


@dataclass(frozen=True)
class Background:
    """Principal components of one kind of difference, of P numbers each, and the filter made from them.

    Attributes:
        mean: mean difference of normal images, (P,).
        directions: orthonormal, (k, P).
        variances: of normal images along them, in shares of their whole variance, (k,).
        share: v0, in the same unit.
    """

    mean: np.ndarray
    directions: np.ndarray
    variances: np.ndarray
    share: float = 1.0

    @classmethod
    def fit(cls, differences: np.ndarray, seed: int = 0) -> "Background":
        """Fit all the directions that the differences (N, ...) of at least two normal images determine."""
        from sklearn.decomposition import PCA

        flat = differences.reshape(len(differences), -1)
        most = min(len(flat) - 1, flat.shape[1], MOST_DIRECTIONS, max(1, MOST_COORDINATES // flat.shape[1]))
        pca = PCA(most, svd_solver="randomized", random_state=seed).fit(flat)
        directions = restored(*rounded(pca.components_))  # as exact as in a file
        variances = pca.explained_variance_ / max(float(flat.var(axis=0, dtype="float64").sum()), 1e-12)
        return cls(pca.mean_.astype("float32"), directions, variances.astype("float32"))

    @property
    def damping(self) -> np.ndarray:
        """The share of itself that the component along each direction loses, (k,) in [0, 1)."""
        return self.variances / (self.share + self.variances)

    def with_share(self, share: float) -> "Background":
        """Return the same with another v0, without the directions that hardly lose anything; the first one stays."""
        changed = replace(self, share=float(share))
        kept = changed.damping > DAMPED
        kept[:1] = True
        return replace(changed, directions=self.directions[kept], variances=self.variances[kept])

    def __call__(self, differences):
        """Filter differences (N, ...): subtract their mean, and damp them along the directions."""
        mean, directions, damping = self._tensors
        flat = ops.reshape(ops.cast(differences, "float32"), (-1, len(self.mean))) - mean
        along = ops.matmul(flat, ops.transpose(directions))  # (N, k)
        return ops.reshape(flat - ops.matmul(along * damping, directions), (-1, *differences.shape[1:]))

    @cached_property
    def _tensors(self) -> list:
        with tf.init_scope():  # made once, also where the first call is within a graph
            return [ops.convert_to_tensor(each) for each in (self.mean, self.directions, self.damping)]

    def choose_share(self, normal: np.ndarray, patched: np.ndarray, measure: Callable) -> "Background":
        """Choose the v0 with which patched images stand out most from normal ones, both (N, ...), by AUROC.

        Args:
            measure: differences (N, ...) -> (N,), the loss that is compared.
        """

        def auroc(tried: Background) -> float:
            return separation(*(measure(tried(each)) for each in (normal, patched)))

        return max((self.with_share(share) for share in SHARES), key=auroc)  # of equals the one that damps least


def separation(normal: np.ndarray, patched: np.ndarray) -> float:
    """Compute the AUROC of patched against normal images, from the losses (N,) of each."""
    from sklearn.metrics import roc_auc_score

    return roc_auc_score(np.repeat([0, 1], [len(normal), len(patched)]), np.concatenate([normal, patched]))


def rounded(directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round directions (k, P) to whole steps, -127 to 127; return them as int8 with the size of the steps, (k, 1)."""
    steps = (np.abs(directions).max(axis=1, keepdims=True) / 127).astype("float32")
    return np.rint(directions / steps).astype("int8"), steps


def restored(whole: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return directions (k, P) float32 from what `rounded` returned."""
    return whole * steps


def examples(images: Split, shapes: Iterable[tuple], flips: bool, seed: int = 0) -> np.ndarray:
    """Choose the training images (n, H, W, C) whose differences, of `shapes` (N, h, w, C), the background is fitted to.

    Left-right mirror images double them where training showed these (`flips`), and where images are few: how G misses
    an edge or a grain depends little on which way it runs. Few means that twice as many are at most `enough`, and at
    most a seventh of an image's pixels: a filter of as many directions as pixels would leave nothing of an anomaly.
    """
    most = enough(*(shape[1:] for shape in shapes))
    mirrored = flips or 2 * len(images) <= min(most, np.prod(images.image_shape[:2]) // 7)
    some = sample_images(images, most // (1 + mirrored), seed)
    return np.concatenate([some, some[:, :, ::-1]]) if mirrored else some


def enough(*shapes) -> int:
    """Return how many training images are enough: a thousand, fewer where what is compared has large shapes."""
    return min(MOST_IMAGES, MOST_NUMBERS // max(int(np.prod(shape)) for shape in shapes))


def patched(images: np.ndarray, seed: int = 0, wanted: int = PATCHED, opacity: float = 1.0) -> np.ndarray:
    """Paste a patch of another image into normal images (N, H, W, C): about `wanted` results, at least one each.

    Images that an opaque patch would hardly change are left out.
    """
    results = []
    for i in range(math.ceil(wanted / len(images))):
        pasted = patch(tf.convert_to_tensor(images), tf.constant([seed, i], tf.int64)).numpy()
        changed = np.abs(pasted - images).max(axis=(1, 2, 3)) > 0.2
        results.append((images + opacity * (pasted - images))[changed])
    return np.concatenate(results)
