"""One class of a labelled set as the normal one, all others as anomalies: digits, MNIST, Fashion-MNIST."""

import os
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from anogan_lib.datasets.base import AnomalyDataset, Split, split_normal
from anogan_lib.datasets.images import from_uint8

_TEN = tuple("0123456789")
_CLOTHES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle-boot",
)
_DIGITS_TEST = 0.3  # of the normal class, which has no test set of its own
_KEYS = ("x_train", "y_train", "x_test", "y_test")

# source: what it is, names of its classes, default size
SOURCES = {
    "digits": (
        "Handwritten digits (Alpaydin and Kaynak, UCI, CC BY 4.0), 8x8 grey, enlarged; from scikit-learn.",
        _TEN,
        (32, 32),
    ),
    "mnist": (
        "MNIST (LeCun, Cortes and Burges, CC BY-SA 3.0): 28x28 grey handwritten digits.",
        _TEN,
        (28, 28),
    ),
    "fashion_mnist": (
        "Fashion-MNIST (Zalando, MIT licence): 28x28 grey pictures of clothes.",
        _CLOTHES,
        (28, 28),
    ),
}


def load(source: str, normal: int, size: tuple[int, int] | None = None, seed: int = 0) -> AnomalyDataset:
    """The images of one class as normal ones, one channel.

    MNIST and Fashion-MNIST: the training images of the class are split, all 10,000 test images are the test.
    Digits: 30 % of the class and all other digits are the test. Kinds are "good" and the names of the others.

    Args:
        source: "digits", "mnist" or "fashion_mnist".
        normal: the normal class, 0 to 9.
        size: (H, W); None is 32x32 for digits, 28x28 for the others.
        seed: of the split.
    """
    about, classes, default_size = SOURCES[source]
    if normal not in range(10):
        raise ValueError(f"The normal class of {source} is a number from 0 to 9. Received: {normal!r}.")
    x_train, y_train, x_test, y_test = _digits(normal, seed) if source == "digits" else _arrays(source)
    size = size or default_size
    good = np.flatnonzero(y_train == normal)
    parts = []
    for part in split_normal(len(good), seed):
        places = good[part]
        names = [f"train/{i:05d}" for i in places]
        parts.append(Split(_resize(x_train[places], size), kinds=["good"] * len(places), names=names))
    kinds = np.where(y_test == normal, "good", np.array(classes)[y_test])
    test = Split(_resize(x_test, size), kinds=kinds, names=[f"test/{i:05d}" for i in range(len(x_test))])
    about = f"{about} Normal: {classes[normal]}; all others are anomalies."
    return AnomalyDataset(f"{source}:{normal}", about, *parts, test)


def _resize(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 (N, h, w) to float32 (N, H, W, 1) in [-1, 1], by an antialiased bicubic filter."""
    if images.shape[1:] != tuple(size):
        wanted = (size[1], size[0])
        images = np.stack([Image.fromarray(x).resize(wanted, Image.Resampling.BICUBIC) for x in images])
    return from_uint8(images)[..., None]


def _digits(normal: int, seed: int):
    """scikit-learn's 1,797 digits, cut into the arrays that MNIST has."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x, y = np.rint(data.images * (255 / 16)).astype(np.uint8), data.target  # (N, 8, 8), (N,)
    good = np.flatnonzero(y == normal)
    drawn = np.random.default_rng([seed, 1]).permutation(good)[: round(_DIGITS_TEST * len(good))]
    test = (y != normal) | np.isin(np.arange(len(y)), drawn)
    return x[~test], y[~test], x[test], y[test]


def _arrays(source: str):
    """x_train, y_train, x_test, y_test: from $ANOGAN_DATA, else through Keras and its cache."""
    path = Path(os.environ.get("ANOGAN_DATA", "")) / f"{source}.npz"
    if os.environ.get("ANOGAN_DATA") and path.is_file():
        try:
            with np.load(path) as arrays:
                return tuple(arrays[key] for key in _KEYS)
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} must hold the arrays {', '.join(_KEYS)}. Received: {error}.") from None
    import keras

    try:
        (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, source).load_data()
    except Exception as error:  # Keras raises a bare Exception where the network fails
        raise OSError(
            f"{source} cannot be downloaded ({error}): put {source}.npz with the arrays {', '.join(_KEYS)} "
            "into a folder and set ANOGAN_DATA to it."
        ) from None
    return x_train, y_train, x_test, y_test
