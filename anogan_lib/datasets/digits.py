"""Read digits, MNIST or Fashion-MNIST with one class as the normal one and all others as anomalies."""

import os
import zipfile
from pathlib import Path

import numpy as np

from anogan_lib.datasets.base import Source, Split
from anogan_lib.datasets.images import from_uint8, resize_all

_TEN = tuple("0123456789")
_CLOTHES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot")
_KEYS = ("x_train", "y_train", "x_test", "y_test")
_DIGITS = "Handwritten digits (Alpaydin and Kaynak, UCI, CC BY 4.0), 8x8 grey, enlarged; from scikit-learn."
_MNIST = "MNIST (LeCun, Cortes and Burges, CC BY-SA 3.0): 28x28 grey handwritten digits."
_FASHION = "Fashion-MNIST (Zalando, MIT licence): 28x28 grey pictures of clothes."

# what each source is, the names of its classes, its default size
SOURCES = {
    "digits": (_DIGITS, _TEN, (32, 32)),
    "mnist": (_MNIST, _TEN, (28, 28)),
    "fashion_mnist": (_FASHION, _CLOTHES, (28, 28)),
}


def read(source: str, normal: int, size: tuple[int, int] | None = None, seed: int = 0) -> Source:
    """Read one of SOURCES with class `normal`, 0 to 9, as the normal one; its images (H, W) have one channel.

    Of MNIST and Fashion-MNIST, the training images of the class are normal and all 10,000 test images are the test.
    Of digits, the test is all other digits and 30 % of the class, which `seed` draws.
    """
    about, classes, default_size = SOURCES[source]
    if normal not in range(10):
        raise ValueError(f"The normal class of {source} is a number from 0 to 9. Received: {normal!r}.")
    x_train, y_train, x_test, y_test = _digits(normal, seed) if source == "digits" else _arrays(source)
    good = np.flatnonzero(y_train == normal)
    images = from_uint8(resize_all(np.concatenate([x_train[good], x_test]), size or default_size))[..., None]
    kinds = ["good"] * len(good) + np.where(y_test == normal, "good", np.array(classes)[y_test]).tolist()
    names = [f"train/{i:05d}" for i in good] + [f"test/{i:05d}" for i in range(len(x_test))]
    about = f"{about} Normal: {classes[normal]}; all others are anomalies."
    in_test = np.arange(len(images)) >= len(good)
    return Source(f"{source}:{normal}", about, Split(images, kinds=kinds, names=names), in_test)


def _digits(normal: int, seed: int) -> tuple[np.ndarray, ...]:
    """Cut scikit-learn's 1,797 digits into the arrays that MNIST has; 30 % of the normal class become test images."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x, y = np.rint(data.images * (255 / 16)).astype(np.uint8), data.target  # (N, 8, 8), (N,)
    good = np.random.default_rng([seed, 1]).permutation(np.flatnonzero(y == normal))
    test = y != normal
    test[good[: round(0.3 * len(good))]] = True
    return x[~test], y[~test], x[test], y[test]


def _arrays(source: str) -> tuple[np.ndarray, ...]:
    """Load x_train, y_train, x_test and y_test from $ANOGAN_DATA, else through Keras and its cache."""
    path = Path(os.environ.get("ANOGAN_DATA", "")) / f"{source}.npz"
    if os.environ.get("ANOGAN_DATA") and path.is_file():
        try:
            with np.load(path) as arrays:
                return tuple(arrays[key] for key in _KEYS)
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} must hold the arrays {', '.join(_KEYS)}. Received: {error}.") from None
    import keras

    try:
        train, test = getattr(keras.datasets, source).load_data()
    except Exception as error:  # Keras raises a bare Exception where the network fails
        raise OSError(
            f"{source} cannot be downloaded ({error}): put {source}.npz with the arrays {', '.join(_KEYS)} "
            "into a folder and set ANOGAN_DATA to it."
        ) from None
    return *train, *test
