"""AnoGAN (Schlegl et al. 2017, arXiv 1703.05921), to learn it and to use it.

>>> from anogan_lib import AnoGAN, DCGAN, datasets

The paper's method is in `anogan_lib.paper`, to be read from top to bottom. AnoGAN and DCGAN are imported at first use,
so that `import anogan_lib` does not wait for TensorFlow.
"""

import importlib
import os
import sys

_HOMES = {"AnoGAN": "detector", "DCGAN": "fast.rpgan", "RpGAN": "fast.rpgan"}  # DCGAN.load has to know RpGAN
__all__ = ["DCGAN", "AnoGAN", "RpGAN", "datasets"]
__version__ = "0.2.0"


def __getattr__(name: str):
    if name == "datasets":
        return importlib.import_module(f"{__name__}.datasets")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_keras()
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def import_keras() -> None:
    """Import TensorFlow and Keras. Raises ImportError where Keras is set up for something else than this library."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if (backend := os.environ.get("KERAS_BACKEND", "tensorflow")) == "tensorflow":
        if "tensorflow" not in sys.modules:
            _quietly(importlib.import_module, "tensorflow")
        try:
            from keras import config
        except ModuleNotFoundError as error:  # of the backend that keras.json names
            backend = error.name
        else:
            backend, order = config.backend(), config.image_data_format()
            if order != "channels_last":
                raise ImportError(
                    f'anogan_lib needs image_data_format "channels_last" in keras.json. Received: {order!r}'
                )
    if backend != "tensorflow":
        raise ImportError(f'anogan_lib runs on TensorFlow: set KERAS_BACKEND to "tensorflow". Received: {backend!r}')


def _quietly(function, *args) -> None:
    """Call a function while what C++ libraries write to standard error is dropped: no setting of theirs silences it."""
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed: there is nothing to drop
        function(*args)
        return
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        function(*args)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
