"""The interactive views: what Python computed beforehand, drawn in the browser as fast as the hand moves.

>>> from anogan_lib.widgets import InversionStepper
>>> InversionStepper(detector, data.test[:2])

The views are imported at first use, so that none waits for the others.
"""

import importlib

_HOMES = {
    "InversionStepper": "stepper",
    "LambdaExplorer": "explorer",
    "ResidualOverlay": "overlay",
    "LatentWalk": "walk",
    "TrainingMonitor": "monitor",
    "DefectPainter": "painter",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
