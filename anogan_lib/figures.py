"""Every picture of notebooks and reports: small functions from arrays to a matplotlib Figure.

Images are (H, W, C) in [-1, 1], C = 1 or 3; maps (H, W). Each function returns its Figure, which Jupyter shows
as a cell's last line, with or without `%matplotlib inline`, and which `savefig` writes. None touches pyplot, so
they work in threads and on the command line. Where an `ax` is given they draw into it and return its Figure.

A residual map means something only beside others on the same scale, so `vmax` is asked for, never taken from
one map: `vmax = figures.common_scale(maps_of_normal_images)`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from anogan_lib.datasets.images import to_uint8
from anogan_lib.localisation import outline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The same in every figure and view. Okabe and Ito's colours (Tol's wine for A): told apart by the colour-blind
# and, by lightness, in grey; lines differ in dashes, and points in shape, as well.
COLOURS = {
    "residual": "#D55E00",
    "discrimination": "#56B4E9",
    "score": "#882255",
    "normal": "#0072B2",
    "anomalous": "#E69F00",
    "generator": "#009E73",
    "discriminator": "#56B4E9",
    "mask": "#00E5C8",
    "neutral": "#767676",
}
DASHES = {"residual": "-", "discrimination": "--", "score": "-.", "generator": "-", "discriminator": "--"}
CLASSES = ("normal", "anomalous")
_MARKERS = "o^sDvP*X"


def _figure(width: float, height: float) -> "Figure":
    """An empty figure, inches. Jupyter shows it even where `%matplotlib inline` has not been called."""
    from io import BytesIO

    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)

    def png() -> bytes:
        file = BytesIO()
        figure.savefig(file, format="png")
        return file.getvalue()

    figure._repr_png_ = png
    return figure


def _axes(ax: "Axes | None", width: float = 4.6, height: float = 3.4) -> "Axes":
    if ax is not None:
        return ax
    ax = _figure(width, height).add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    return ax


# ---- images


def rgb(image: np.ndarray) -> np.ndarray:
    """(H, W, C) in [-1, 1] -> (H, W, 3) uint8."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] not in (1, 3):
        raise ValueError(f"An image is (H, W, 1) or (H, W, 3) in [-1, 1]. Received: shape {image.shape}.")
    return np.broadcast_to(to_uint8(image), (*image.shape[:2], 3))


def common_scale(maps: np.ndarray, quantile: float = 0.999) -> float:
    """One `vmax` for a whole data set: a high quantile of |maps|, (N, H, W); best from normal images."""
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
    """The map in colours over its image, without matplotlib's machinery: for files, fast.

    Args:
        image: (H, W, C) in [-1, 1].
        map: (H, W), in [0, vmax], or [-vmax, vmax] with `signed`; what lies beyond takes the last colour.
        vmax: the scale; give all images the same, else the colours of two images cannot be compared.
        opacity: 0 shows the image alone, 1 the map alone.
        cut_off: where |map| < cut_off the image stays as it is; in the unit of the map, None for vmax / 4.
        colour_map: a name of matplotlib's; None for "magma", of even steps in lightness, or, signed, "RdBu_r".
            "jet" with cut_off=0 is what early AnoGAN code shows: its bright bands draw edges where there are
            none, and in grey or to the colour-blind its two ends look alike.

    Returns:
        (H, W, 3) uint8.
    """
    from matplotlib import colormaps

    base, map = rgb(image), np.asarray(map, "float32")
    if map.shape != base.shape[:2]:
        raise ValueError(f"The map must be of the image's size {base.shape[:2]}. Received: {map.shape}.")
    if not vmax > 0:
        raise ValueError(f"vmax is the map value of the last colour, above 0. Received: {vmax!r}.")
    level = (map / vmax + 1) / 2 if signed else map / vmax  # 0 ... 1
    colours = colormaps[colour_map or ("RdBu_r" if signed else "magma")](np.clip(level, 0, 1), bytes=True)
    cut_off = vmax / 4 if cut_off is None else cut_off
    weight = opacity * (np.abs(map) >= cut_off)[..., None]  # (H, W, 1)
    return np.rint((1 - weight) * base + weight * colours[..., :3]).astype(np.uint8)


def _outline(ax: "Axes", mask: np.ndarray | None, corner=(0, 0)) -> None:
    """Draw the border between True and False pixels, whose centres lie at whole numbers from `corner` (x, y)."""
    from matplotlib.collections import LineCollection

    if mask is not None:
        segments = outline(mask) + np.asarray(corner)  # (K, 2, 2): start and end, (x, y)
        ax.add_collection(LineCollection(segments, colors=COLOURS["mask"], linewidths=1.2))


def _show(ax: "Axes", image: np.ndarray, title: str = "", mask: np.ndarray | None = None) -> None:
    """A uint8 image without axes, its mask outlined."""
    ax.imshow(image, interpolation="nearest")
    ax.set_title(title, fontsize="medium")
    ax.set_axis_off()
    _outline(ax, mask)


def _tiles(pictures, titles, columns: int, masks=None, colours=None) -> "Figure":
    """uint8 pictures in rows under their titles: one Axes for all is many times faster than one each."""
    if not len(pictures):
        raise ValueError("At least one image is wanted. Received: none.")
    n, (high, wide) = len(pictures), pictures[0].shape[:2]
    columns = max(1, min(columns, n))
    rows, head = -(-n // columns), 0 if titles is None else 0.17 * wide
    across, down = 1.06 * wide, 1.06 * high + head  # from tile to tile, in pixels
    figure = _figure(1.3 * columns, 1.3 * rows * down / across)
    ax = figure.add_subplot()
    for i, picture in enumerate(pictures):
        x, y = i % columns * across, i // columns * down + head
        ax.imshow(picture, extent=(x - 0.5, x + wide - 0.5, y + high - 0.5, y - 0.5), interpolation="nearest")
        if titles is not None:
            colour = "black" if colours is None else colours[i]
            ax.text(x + wide / 2, y - 0.03 * wide, titles[i], ha="center", va="bottom", size=8, color=colour)
        _outline(ax, None if masks is None else masks[i], (x, y))
    ax.set(xlim=(-0.5, columns * across - 0.5), ylim=(rows * down - 0.5, -0.5))
    ax.set_axis_off()
    return figure


def image_grid(images: np.ndarray, titles: Sequence | None = None, columns: int = 8) -> "Figure":
    """Images (N, H, W, C) in rows, each under its title."""
    return _tiles([rgb(image) for image in images], None if titles is None else [*map(str, titles)], columns)


def overlay(
    image: np.ndarray,
    map: np.ndarray,
    *,
    vmax: float,
    ax: "Axes | None" = None,
    mask: np.ndarray | None = None,
    title: str = "",
    **options,
) -> "Figure":
    """The map over its image, the true defect outlined if `mask` (H, W) is given; see `overlay_image`."""
    ax = _axes(ax, 3.2, 3.2)
    _show(ax, overlay_image(image, map, vmax=vmax, **options), title, mask)
    return ax.figure


def comparison(
    query: np.ndarray,
    reconstruction: np.ndarray,
    residual_map: np.ndarray,
    score: float,
    *,
    vmax: float,
    threshold: float | None = None,
    mask: np.ndarray | None = None,
    **options,
) -> "Figure":
    """The classic picture of AnoGAN: test image, similar image G(z), anomalies with the score.

    Args:
        query, reconstruction: (H, W, C) in [-1, 1].
        residual_map, mask: (H, W); the true defect is outlined.
        threshold: names the verdict beside the score.
        vmax, options: of `overlay_image`.
    """
    figure = _figure(8.4, 3.1)
    left, middle, right = figure.subplots(1, 3)
    said = "" if threshold is None else f" ({CLASSES[int(score > threshold)]})"
    picture = overlay_image(query, residual_map, vmax=vmax, **options)
    _show(left, rgb(query), "test image")
    _show(middle, rgb(reconstruction), "similar image")
    _show(right, picture, f"anomalies, score {score:.4g}{said}", mask)
    return figure


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
    limit: int | None = None,
    **options,
) -> "Figure":
    """Overlays sorted by score, the most anomalous first, true defects outlined.

    Args:
        images, maps: (N, H, W, C) in [-1, 1], and (N, H, W).
        scores: (N,), written above each.
        masks: N of (H, W) bool or None.
        labels: (N,) 0 or 1; colours the titles.
        kinds: (N,) str, written beside the score.
        vmax: one scale for all; None for the common scale of these maps.
        limit: show so many at most.
        options: of `overlay_image`.
    """
    vmax = common_scale(maps) if vmax is None else vmax
    order = np.argsort(-np.asarray(scores), kind="stable")[:limit]
    pictures = [overlay_image(images[i], maps[i], vmax=vmax, **options) for i in order]
    titles = [f"{scores[i]:.4g}" + ("" if kinds is None else f" {kinds[i]}") for i in order]
    dark = {0: COLOURS["normal"], 1: "#8A5A00"}  # the anomalous orange, darkened to be read as text
    colours = None if labels is None else [dark[int(labels[i])] for i in order]
    return _tiles(pictures, titles, columns, None if masks is None else [masks[i] for i in order], colours)


# ---- curves


def losses(history: Mapping[str, Sequence], ax: "Axes | None" = None) -> "Figure":
    """Both losses of a training run over its epochs; history["d_loss"] and history["g_loss"], (epochs,) each."""
    ax = _axes(ax)
    for name, who in (("d_loss", "discriminator"), ("g_loss", "generator")):
        ax.plot(range(1, len(history[name]) + 1), history[name], DASHES[who], color=COLOURS[who], label=who)
    ax.set(xlabel="epoch", ylabel="loss")
    ax.legend(frameon=False)
    return ax.figure


def trace_curves(steps: np.ndarray, residual: np.ndarray, discrimination: np.ndarray, names=None) -> "Figure":
    """Both losses of the search over its steps; steps (T,), losses (T, N), a line for each of N images."""
    figure = _figure(5.2, 4.2)
    top, bottom = figure.subplots(2, 1, sharex=True)
    for ax, which, values in ((top, "residual", residual), (bottom, "discrimination", discrimination)):
        values = np.asarray(values).reshape(len(steps), -1)  # (T, N)
        for i, line in enumerate(values.T):
            named = {} if names is None else {"label": str(names[i]), "marker": _MARKERS[i % len(_MARKERS)]}
            ax.plot(steps, line, DASHES[which], color=COLOURS[which], markevery=max(1, len(steps) // 8), **named)
        ax.set_ylabel(f"{which} loss")
        ax.spines[["top", "right"]].set_visible(False)
    bottom.set_xlabel("step of the search")
    if names is not None:
        top.legend(frameon=False)
    return figure


def score_distributions(
    scores: np.ndarray, labels: np.ndarray, threshold: float | None = None, ax: "Axes | None" = None, bins: int = 30
) -> "Figure":
    """Histograms of normal and anomalous scores on the same bins, with the threshold."""
    ax = _axes(ax)
    scores, labels = np.asarray(scores), np.asarray(labels)
    edges = np.histogram_bin_edges(scores, bins)
    for k, name in enumerate(CLASSES):
        look = {"hatch": "////", "histtype": "step"} if k else {"histtype": "stepfilled", "alpha": 0.75}
        ax.hist(scores[labels == k], edges, color=COLOURS[name], label=name, linewidth=1.6, **look)
    if threshold is not None:
        ax.axvline(float(threshold), color="black", linestyle=":", label=f"threshold {float(threshold):.4g}")
    ax.set(xlabel="anomaly score", ylabel="images")
    ax.legend(edgecolor="none", framealpha=0.85)
    return ax.figure


def roc_curve(
    scores: np.ndarray, labels: np.ndarray, threshold: float | None = None, ax: "Axes | None" = None
) -> "Figure":
    """Hit rate against false-alarm rate over all thresholds, and where `threshold` lies."""
    from sklearn import metrics as sk

    from anogan_lib.metrics import auroc

    ax = _axes(ax, 3.8, 3.6)
    false_alarms, hits, _ = sk.roc_curve(labels, scores)
    ax.plot(false_alarms, hits, color=COLOURS["score"], label=f"AUROC {auroc(labels, scores):.3f}")
    ax.plot([0, 1], [0, 1], ":", color=COLOURS["neutral"], label="chance")
    if threshold is not None:
        called, bad = np.asarray(scores) > float(threshold), np.asarray(labels) == 1
        ax.plot(called[~bad].mean(), called[bad].mean(), "o", color="black", label="threshold")
    ax.set(xlabel="false-alarm rate", ylabel="hit rate", aspect="equal", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.legend(frameon=False, loc="lower right")
    return ax.figure


def precision_recall_curve(
    scores: np.ndarray, labels: np.ndarray, threshold: float | None = None, ax: "Axes | None" = None
) -> "Figure":
    """Precision against recall over all thresholds; chance is the share of anomalous images."""
    from sklearn import metrics as sk

    from anogan_lib.metrics import average_precision

    ax = _axes(ax, 3.8, 3.6)
    precision, recall, _ = sk.precision_recall_curve(labels, scores)
    area = f"average precision {average_precision(labels, scores):.3f}"
    ax.step(recall[::-1], precision[::-1], where="post", color=COLOURS["score"], label=area)
    ax.axhline(np.mean(labels), linestyle=":", color=COLOURS["neutral"], label="chance")
    called, bad = np.asarray(scores) > float(np.inf if threshold is None else threshold), np.asarray(labels) == 1
    if called.any():
        ax.plot(called[bad].mean(), bad[called].mean(), "o", color="black", label="threshold")
    ax.set(xlabel="recall (hit rate)", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
    ax.legend(frameon=False, loc="lower left")
    return ax.figure


def lambda_curve(
    lams: np.ndarray, curves: Mapping[str, np.ndarray], chosen: float | None = None, ax: "Axes | None" = None
) -> "Figure":
    """AUROC over lambda; `curves` by name, such as "re-weighted" and "searched anew", (L,) each."""
    ax = _axes(ax)
    for i, (name, values) in enumerate(curves.items()):
        colour = (COLOURS["score"], "black", COLOURS["neutral"])[i % 3]
        look = ("-", "--", ":")[i % 3] + _MARKERS[i % 8]
        ax.plot(lams, values, look, color=colour, label=name, markersize=4)
    if chosen is not None:
        ax.axvline(chosen, color="black", linestyle=":", label=f"lambda = {chosen:g}")
    ax.set(xlabel="lambda (0: residual alone, 1: discrimination alone)", ylabel="AUROC")
    ax.legend(frameon=False)
    return ax.figure


def hit_rate_by_size(classes: Sequence[Mapping], smallest: int | None = None, ax: "Axes | None" = None) -> "Figure":
    """Hit rate against defect area, from `metrics.hit_rate_by_size` and `smallest_found`; 95 % intervals."""
    ax = _axes(ax)
    from_area, to_area, rates = np.array([[c["smallest"], c["largest"], c["hit_rate"]] for c in classes]).T
    centres = np.sqrt(from_area * to_area)
    least, most = np.array([c["interval"] for c in classes]).T
    up_down = np.clip([rates - least, most - rates], 0, None)
    across = [centres - from_area, to_area - centres]
    ax.errorbar(centres, rates, up_down, across, "o", color=COLOURS["anomalous"], ecolor=COLOURS["neutral"])
    ax.axhline(0.9, linestyle=":", color="black", linewidth=1)
    ax.text(0.01, 0.905, "9 in 10", transform=ax.get_yaxis_transform(), va="bottom", size=8)
    if smallest is not None:
        ax.axvline(smallest, color=COLOURS["score"], linestyle="-.", label=f"9 in 10 from {smallest} pixels on")
        ax.legend(edgecolor="none", framealpha=1, loc="lower right")
    ax.set(xscale="log", xlabel="area of the defect (pixels)", ylabel="hit rate", ylim=(-0.03, 1.05))
    low, high = from_area.min(), to_area.max()
    ticks = [n * 10.0**k for k in range(8) for n in ((1, 2, 5) if high > 10 * low else range(1, 10))]
    ax.set_xticks([tick for tick in ticks if low <= tick <= high])
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")
    return ax.figure


def confusion_table(confusion: Mapping[str, int], ax: "Axes | None" = None) -> "Figure":
    """The four counts of `metrics.confusion` as a table: rows what is true, columns what was said."""
    ax = _axes(ax, 3.2, 2.6)
    names = [["true_normal", "false_alarm"], ["missed", "hit"]]
    counts = np.array([[confusion[name] for name in row] for row in names])  # (2, 2)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(share, cmap="Greys", vmin=0, vmax=1.6, aspect="auto")
    for (i, j), count in np.ndenumerate(counts):
        ax.text(j, i, f"{count}\n{names[i][j].replace('_', ' ')}", ha="center", va="center")
    ax.set(xticks=[0, 1], yticks=[0, 1], xlabel="said", ylabel="true", xticklabels=CLASSES)
    ax.set_yticklabels(CLASSES, rotation=90, va="center")
    ax.tick_params(length=0)
    return ax.figure


def embedding(points: np.ndarray, labels: np.ndarray, ax: "Axes | None" = None, title: str = "") -> "Figure":
    """Points (N, 2), for example of t-SNE, with a colour and a shape for each label: 0 and 1, or any names."""
    ax = _axes(ax, 4.6, 4.2)
    points, labels = np.asarray(points), np.asarray(labels)
    names = [CLASSES[int(k)] if labels.dtype.kind in "iub" and k in (0, 1) else str(k) for k in labels]
    spare = iter(["#CC79A7", "#000000", "#B8A800", "#44AA99", "#999999"] * len(points))
    fixed = COLOURS | {"good": COLOURS["normal"], "generated": COLOURS["generator"]}
    for i, name in enumerate(dict.fromkeys(names)):
        here = points[np.array(names) == name]
        colour = fixed.get(name) or next(spare)
        ax.scatter(*here.T, 18, color=colour, marker=_MARKERS[i % 8], label=name, linewidths=0, alpha=0.85)
    ax.set(xticks=[], yticks=[], title=title)
    ax.legend(frameon=False, markerscale=1.4)
    return ax.figure
