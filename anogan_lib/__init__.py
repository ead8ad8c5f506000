"""AnoGAN (Schlegl et al. 2017, arXiv 1703.05921), to learn it and to use it.

>>> from anogan_lib import AnoGAN, DCGAN, datasets

The names are imported at first use, so that `import anogan_lib` does not wait for TensorFlow.
"""

import importlib
import os
import sys

_HOMES = {"AnoGAN": "detector", "DCGAN": "dcgan"}
_ON_TENSORFLOW = ("augmentation", "dcgan", "detector", "encoder", "inversion", "latent", "networks", "scoring")
__all__ = ["DCGAN", "AnoGAN", "datasets"]
__version__ = "0.1.0"


def _import_tensorflow() -> None:
    """Import TensorFlow without its notes on this processor, which no setting of its own silences."""
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def __getattr__(name: str):
    if name in _HOMES or name in _ON_TENSORFLOW:
        _import_tensorflow()
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
