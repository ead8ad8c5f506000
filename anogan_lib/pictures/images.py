"""Draw images, and anomaly maps over them.

Images are (H, W, C) in [-1, 1], C = 1 or 3; maps (H, W). Each function returns its Figure, which Jupyter shows as a
cell's last line and `savefig` writes. None uses pyplot, so all work in threads and on the command line. Functions that
take an `ax` draw into it and return its Figure.

Two maps can be compared only on the same scale, so `vmax` is asked for, never taken from one map:
`vmax = pictures.common_scale(maps_of_normal_images)`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from anogan_lib.datasets.images import to_uint8
from anogan_lib.evaluation.regions import outline
from anogan_lib.pictures.style import CLASSES, COLOURS, PAGE, described, new_axes, new_figure, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CUT_OFF = 0.5  # of vmax: below it an overlay leaves the image as it is


def rgb(image: np.ndarray) -> np.ndarray:
    """Convert an image (H, W, C) in [-1, 1] to (H, W, 3) uint8."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] not in (1, 3):
        raise ValueError(f"An image is (H, W, 1) or (H, W, 3) in [-1, 1]. Received: shape {image.shape}.")
    return np.broadcast_to(to_uint8(image), (*image.shape[:2], 3))


def common_scale(maps: np.ndarray, quantile: float = 0.999) -> float:
    """Choose one `vmax` for a whole data set: a high quantile of |maps|, (N, H, W), best of normal images."""
    return max(float(np.quantile(np.abs(maps), quantile)), 1e-6)


def overlay_image(
    image: np.ndarray,
    map: np.ndarray,
    *,
    vmax: float,
    opacity: float = 0.5,
    cut_off: float | None = None,
    colour_map: str | None = None,
    signed: bool = False,
) -> np.ndarray:
    """Lay a map in colours over its image, as (H, W, 3) uint8: no figure is drawn, so this is fast.

    Args:
        image: (H, W, C) in [-1, 1].
        map: (H, W), in [0, vmax], or [-vmax, vmax] with `signed`; values beyond take the last colour.
        vmax: the scale; only images with the same one can be compared.
        opacity: 0 shows the image alone, 1 the map alone.
        cut_off: where |map| < cut_off the image stays as it is; in the unit of the map, None for vmax / 2.
        colour_map: a name of matplotlib's; None for "magma", whose lightness rises evenly, or "RdBu_r" if signed.
            "jet" with cut_off=0 is what early AnoGAN code shows: its bright bands look like edges where there are
            none, and its two ends look alike in grey and to the colour-blind.
    """
    from matplotlib import colormaps

    base, map = rgb(image), np.asarray(map, "float32")
    if map.shape != base.shape[:2]:
        raise ValueError(f"The map must be of the image's size {base.shape[:2]}. Received: {map.shape}.")
    if not vmax > 0:
        raise ValueError(f"vmax is the map value of the last colour, above 0. Received: {vmax!r}.")
    level = (map / vmax + 1) / 2 if signed else map / vmax  # 0 ... 1
    colours = colormaps[_colour_map(colour_map, signed)](np.clip(level, 0, 1), bytes=True)
    cut_off = CUT_OFF * vmax if cut_off is None else cut_off
    weight = opacity * (np.abs(map) >= cut_off)[..., None]  # (H, W, 1)
    return np.rint((1 - weight) * base + weight * colours[..., :3]).astype(np.uint8)


def _colour_map(name: str | None, signed: bool) -> str:
    return name or ("RdBu_r" if signed else "magma")


def _colour_bar(axes, *, vmax: float, cut_off=None, colour_map: str | None = None, signed=False, opacity=None) -> None:
    """Draw the scale of the overlays in `axes`, one or several, at their right, with a line at the cut-off."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(-vmax if signed else 0, vmax), _colour_map(colour_map, signed))
    bar = np.ravel(axes)[0].figure.colorbar(scale, ax=axes, fraction=0.04, pad=0.015, aspect=25)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)
    cut_off = CUT_OFF * vmax if cut_off is None else cut_off
    for level in {cut_off, -cut_off} if signed else {cut_off}:
        bar.ax.axhline(level, color="black" if signed else "white", linewidth=1.5)


def _outline(ax: "Axes", mask: np.ndarray | None, corner=(0, 0)) -> None:
    """Draw the outline of a mask (H, W); the first pixel's centre lies at `corner` (x, y)."""
    from matplotlib.collections import LineCollection

    if mask is not None:
        ax.add_collection(LineCollection(outline(mask) + corner, colors=COLOURS["mask"], linewidths=1.2))


def show(ax: "Axes", image: np.ndarray, title: str = "", mask: np.ndarray | None = None) -> None:
    """Show a uint8 image without axes, its mask outlined."""
    ax.imshow(image, interpolation="nearest")
    ax.set_title(plain(title), fontsize="medium")
    ax.set_axis_off()
    _outline(ax, mask)


def _tiles(pictures, titles, columns: int, masks=None, colours=None) -> "Figure":
    """Draw uint8 pictures in rows under their titles, in one Axes: many times faster than one each."""
    if not len(pictures):
        raise ValueError("At least one image is wanted. Received: none.")
    n, (high, wide) = len(pictures), pictures[0].shape[:2]
    columns = max(1, min(columns, n))
    rows, head = math.ceil(n / columns), 0 if titles is None else 0.17 * wide
    across, down = 1.06 * wide, 1.06 * high + head  # from tile to tile, in pixels
    figure = new_figure(1.3 * columns, 1.3 * rows * down / across)
    ax = figure.add_subplot()
    for i, picture in enumerate(pictures):
        x, y = i % columns * across, i // columns * down + head
        ax.imshow(picture, extent=(x - 0.5, x + wide - 0.5, y + high - 0.5, y - 0.5), interpolation="nearest")
        if titles is not None:
            colour = "black" if colours is None else colours[i]
            ax.text(x + wide / 2, y - 0.03 * wide, plain(titles[i]), ha="center", va="bottom", size=8, color=colour)
        _outline(ax, None if masks is None else masks[i], (x, y))
    ax.set(xlim=(-0.5, columns * across - 0.5), ylim=(rows * down - 0.5, -0.5))
    ax.set_axis_off()
    return figure


def image_grid(
    images: np.ndarray, titles: Sequence | None = None, columns: int = 8, scale: Mapping | None = None
) -> "Figure":
    """Draw images (N, H, W, C) in rows, each under its title.

    With overlays among them, `scale` holds the options of `overlay_image`, and their colour bar stands at the right.
    """
    names = [] if titles is None else [*map(str, titles)]
    figure = _tiles([rgb(image) for image in images], names or None, columns)
    if scale is not None:
        figure.set_figwidth(figure.get_figwidth() + 0.5)
        _colour_bar(figure.axes, **scale)
    said = f": {', '.join(dict.fromkeys(names))}" if names else f", {min(columns, len(images))} in a row"
    return described(figure, f"{len(images)} images{said}.")


def overlay(
    image: np.ndarray, map: np.ndarray, *, ax: "Axes | None" = None, mask: np.ndarray | None = None, title="", **options
) -> "Figure":
    """Draw `overlay_image(image, map, **options)`, the true defect outlined if `mask` (H, W) is given."""
    alone, ax = ax is None, ax or new_axes(3.6, 3.2)
    show(ax, overlay_image(image, map, **options), title, mask)
    if alone:
        _colour_bar(ax, **options)
    return described(ax.figure, f"An anomaly map over its image{title and f', {title}'}.")


def comparison(
    query: np.ndarray,
    reconstruction: np.ndarray,
    residual_map: np.ndarray,
    score: float,
    *,
    threshold: float | None = None,
    mask: np.ndarray | None = None,
    **options,
) -> "Figure":
    """Draw the classic picture of AnoGAN: test image, similar image G(z), anomalies with the score.

    Args:
        query, reconstruction: (H, W, C) in [-1, 1].
        residual_map, mask: (H, W); the true defect is outlined.
        threshold: where given, the verdict stands beside the score.
        options: of `overlay_image`; `vmax` is required.
    """
    figure = new_figure(PAGE, 2.5)
    left, middle, right = axes = figure.subplots(1, 3)
    said = "" if threshold is None else f" ({CLASSES[int(score > threshold)]})"
    show(left, rgb(query), "test image")
    show(middle, rgb(reconstruction), "similar image")
    show(right, overlay_image(query, residual_map, **options), f"anomalies, score {score:.4g}{said}", mask)
    _colour_bar(axes, **options)
    return described(
        figure, f"A test image, the most similar image G(z), and the anomaly map; score {score:.4g}{said}."
    )


def gallery(
    images: np.ndarray,
    maps: np.ndarray,
    scores: np.ndarray,
    masks: Sequence | None = None,
    *,
    labels: np.ndarray | None = None,
    kinds: Sequence | None = None,
    vmax: float | None = None,
    columns: int = 10,
    **options,
) -> "Figure":
    """Draw overlays sorted by score, the most anomalous first, true defects outlined.

    Args:
        images, maps: (N, H, W, C) in [-1, 1], and (N, H, W).
        scores: (N,), written above each.
        masks: N of (H, W) bool or None.
        labels: (N,) 0 or 1; colours the titles.
        kinds: (N,) str, written beside the score.
        vmax: one scale for all; None for the common scale of these maps.
        options: of `overlay_image`.
    """
    vmax = common_scale(maps) if vmax is None else vmax
    order = np.argsort(-np.asarray(scores), kind="stable")
    pictures = [overlay_image(images[i], maps[i], vmax=vmax, **options) for i in order]
    titles = [f"{scores[i]:.4g}" + ("" if kinds is None else f" {kinds[i]}") for i in order]
    dark = {0: COLOURS["normal"], 1: "#8A5A00"}  # the anomalous orange, darkened to be read as text
    colours = None if labels is None else [dark[int(labels[i])] for i in order]
    figure = _tiles(pictures, titles, columns, None if masks is None else [masks[i] for i in order], colours)
    if options.get("opacity") != 0:  # else there are masks alone
        _colour_bar(figure.axes[0], vmax=vmax, **options)
    under = "under their anomaly maps, highest score" if options.get("opacity") != 0 else "and their masks, largest"
    return described(figure, f"{len(order)} images {under} first: {', '.join(titles)}.")
