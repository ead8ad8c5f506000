"""The interactive views: what Python computed beforehand, drawn in the browser as fast as the hand moves.

>>> from anogan_lib.widgets import InversionStepper
>>> InversionStepper(detector, data.test[:2])
"""
# ruff: noqa: F401

from anogan_lib.widgets.explorer import LambdaExplorer
from anogan_lib.widgets.monitor import TrainingMonitor
from anogan_lib.widgets.overlay import ResidualOverlay
from anogan_lib.widgets.painter import DefectPainter
from anogan_lib.widgets.stepper import InversionStepper
from anogan_lib.widgets.walk import LatentWalk
