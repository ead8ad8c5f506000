"""What the differences of normal images from their G(z) have in common, and how score="best" looks past it.

No G explains a normal image completely, and what it leaves over is not noise: an edge is always a little off, the light
a little too even. Principal components of what is left over on normal training images tell these usual directions. A
Wiener filter then keeps of each component what may be an anomaly: with v the variance of normal images along it, and
v0 that of an anomaly, which nobody knows and which is the same in all directions, the share v0 / (v0 + v).

v0 is chosen without an anomaly: validation images with a patch of another one pasted in are to stand out.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from anogan_lib.datasets.base import drawn

SHARES = (1.0, 0.3, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002)  # v0, of normal images' variance
DAMPED = 1 / 3  # components that would lose less than this share of themselves are left as they are
MOST_IMAGES, MOST_NUMBERS = 1000, 2**26  # of training images, drawn once, and of what is compared in all of them
MOST_DIRECTIONS = 512
MOST_COORDINATES = 2**22  # of all directions together, a byte each where they are saved
PARTS = ("mean", "directions", "steps", "variances", "share")  # of each kind of difference, in a file
PATCHED = 400  # validation images with a patch, where they cost one pass each


@dataclass(frozen=True)
class Usual:
    """The usual directions of one kind of difference, of P numbers each.

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
    def of(cls, differences: np.ndarray, seed: int = 0) -> "Usual":
        """From the differences of at least two normal images, (N, ...); every direction is kept that they tell."""
        from sklearn.decomposition import PCA

        flat = differences.reshape(len(differences), -1)
        most = min(len(flat) - 1, flat.shape[1], MOST_DIRECTIONS, max(1, MOST_COORDINATES // flat.shape[1]))
        pca = PCA(most, svd_solver="randomized", random_state=seed).fit(flat)
        directions = _restored(*_rounded(pca.components_))  # as exact as they are saved
        variances = pca.explained_variance_ / max(float(flat.var(axis=0, dtype="float64").sum()), 1e-12)
        return cls(pca.mean_.astype("float32"), directions, variances.astype("float32"))

    @property
    def damping(self) -> np.ndarray:
        """What the component along each direction loses of itself, (k,) in [0, 1)."""
        return self.variances / (self.share + self.variances)

    def at(self, share: float) -> "Usual":
        """The same with another v0, and without the directions that hardly lose anything; the first one stays."""
        changed = replace(self, share=float(share))
        kept = changed.damping > DAMPED
        kept[:1] = True
        return replace(changed, directions=self.directions[kept], variances=self.variances[kept])

    def __call__(self, differences: np.ndarray) -> np.ndarray:
        """What is unusual: differences (N, ...) without their mean, damped along the usual directions."""
        flat = differences.reshape(len(differences), -1) - self.mean
        along = flat @ self.directions.T  # (N, k)
        return (flat - (along * self.damping) @ self.directions).reshape(differences.shape)


def _rounded(directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions (k, P) in whole steps, -127 to 127, and the size of each one's steps, (k, 1)."""
    steps = (np.abs(directions).max(axis=1, keepdims=True) / 127).astype("float32")
    return np.rint(directions / steps).astype("int8"), steps


def _restored(rounded: np.ndarray, steps: np.ndarray) -> np.ndarray:
    return rounded * steps


def enough(*shapes) -> int:
    """How many training images are looked at: a thousand, fewer where they or their features are large."""
    return min(MOST_IMAGES, MOST_NUMBERS // max(int(np.prod(shape)) for shape in shapes))


def examples(images, seed: int, flips: bool, *shapes) -> np.ndarray:
    """Training images to learn what is usual from, (N, H, W, C), `enough` of them; with `flips` half of them mirrored.

    What is off at the left edge of one image may be off at the right edge of the next: from a few hundred images twice
    as much can be learned, where their mirror images are as normal as they are.
    """
    some = drawn(images, enough(*shapes) // (2 if flips else 1), seed)
    return np.concatenate([some, some[:, :, ::-1]]) if flips else some


def choose(usual: Usual, normal: np.ndarray, patched: np.ndarray, measure) -> Usual:
    """The v0 with which patched images stand out most: by the AUROC of `measure`, differences (N, ...) -> (N,)."""
    from anogan_lib.metrics import auroc

    labels = np.repeat([0, 1], [len(normal), len(patched)])
    tried = [usual.at(share) for share in SHARES]
    found = [auroc(labels, np.concatenate([measure(each(normal)), measure(each(patched))])) for each in tried]
    return tried[int(np.argmax(found))]  # of equals the one that damps least


def chosen(known: dict[str, Usual], images: np.ndarray, differences, measure, seed: int = 0, wanted: int = PATCHED):
    """What is usual, by loss, each with its own v0 (`choose`), from normal images (N, H, W, C) and from patched ones.

    Of either at most `enough` are looked at, however many images there are; `differences` gives theirs from their
    G(z), by loss. Where no patch shows on these images, all stays as it is.
    """
    most = enough(*(each.mean.shape for each in known.values()))
    some = drawn(images, most, seed)
    shown = patched(some, seed, min(wanted, most))
    if not len(shown):
        return known
    normal, odd = differences(some), differences(shown)
    return {name: choose(each, normal[name], odd[name], measure) for name, each in known.items()}


def patched(images: np.ndarray, seed: int = 0, wanted: int = PATCHED) -> np.ndarray:
    """Normal images (N, H, W, C) with a patch of another one pasted in, about `wanted` of them, at least one each.

    Those that the patch hardly changed are left out.
    """
    import tensorflow as tf

    from anogan_lib.augmentation import patch

    shown = []
    for i in range(-(-wanted // len(images))):
        pasted = patch(tf.convert_to_tensor(images), tf.constant([seed, i], tf.int64)).numpy()
        shown.append(pasted[np.abs(pasted - images).max(axis=(1, 2, 3)) > 0.2])
    return np.concatenate(shown)


def write(file: Path, usual: dict[str, Usual]) -> None:
    """Usual directions by loss, into an .npz file."""
    arrays = {}
    for name, each in usual.items():
        rounded, steps = _rounded(each.directions)
        parts = asdict(each) | {"directions": rounded, "steps": steps}
        arrays |= {f"{name}.{part}": value for part, value in parts.items()}
    np.savez_compressed(file, **arrays)


def read(file: Path) -> dict[str, Usual]:
    """What `write` wrote."""
    found = {}
    with np.load(file) as kept:
        for name in sorted({name.split(".")[0] for name in kept.files}):
            mean, rounded, steps, variances, share = (kept[f"{name}.{part}"] for part in PARTS)
            found[name] = Usual(mean, _restored(rounded, steps), variances, float(share))
    return found
