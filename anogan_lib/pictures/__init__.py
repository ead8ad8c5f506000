"""Draw figures and write pages.

`images` and overlays, `curves`, `drawings` of how AnoGAN works; `report` for one HTML page, `live` for the search for z
in a page.
"""
# ruff: noqa: F401

from anogan_lib.pictures.curves import (
    confusion_table,
    embedding,
    guessing_lines,
    ladder,
    lambda_curve,
    losses,
    precision_recall_curve,
    roc_curve,
    score_distributions,
    thumbnails,
)
from anogan_lib.pictures.drawings import growing_blocks, losses_plane, pipeline, search_path
from anogan_lib.pictures.images import (
    CUT_OFF,
    common_scale,
    comparison,
    gallery,
    image_grid,
    overlay,
    overlay_image,
    rgb,
    show,
)
from anogan_lib.pictures.live_page import live
from anogan_lib.pictures.style import CLASSES, COLOURS, DASHES, PAGE, described, new_figure
