"""Draw figures from arrays: `images` and overlays, `curves` of training and evaluation, `report` for one HTML page."""
# ruff: noqa: F401

from anogan_lib.pictures.curves import (
    confusion_table,
    embedding,
    lambda_curve,
    losses,
    precision_recall_curve,
    roc_curve,
    score_distributions,
    trace_curves,
)
from anogan_lib.pictures.images import common_scale, comparison, gallery, image_grid, overlay, overlay_image, rgb
from anogan_lib.pictures.style import CLASSES, COLOURS, DASHES, new_figure
