"""Draw how AnoGAN works, with a detector's own images and numbers: nothing in these drawings is made up.

>>> drawings.pipeline(detector, data.train.images[:4], image)   # the whole way from images to a verdict
>>> drawings.growing_blocks(detector.generator, z)              # the generator, block by block
>>> drawings.search_path(detector, image)                       # z on its sphere, G(z) on its way to the image
>>> drawings.losses_plane(detector, data.test)                  # R against D, lambda as the slope of a line

Each returns a Figure of a page's width on white, with `alt`, its alternative text.
"""

from typing import TYPE_CHECKING

import numpy as np

from anogan_lib.pictures.curves import thumbnails
from anogan_lib.pictures.images import overlay_image, rgb
from anogan_lib.pictures.style import CLASSES, COLOURS, MARKERS, PAGE, described, new_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALL = 7.5  # points: the smallest text
LAMS, PUBLISHED_LAM = (0.0, 0.1, 0.5, 1.0), 0.1  # lambdas whose lines are drawn; the paper's


def pipeline(detector, normal: np.ndarray, image: np.ndarray) -> "Figure":
    """Draw how a calibrated detector works: G and D learn; then an image, its z, G(z), losses, score and verdict.

    `normal` are at least 4 of its training images, (N, H, W, C); `image`, (H, W, C), is judged.
    """
    found, gan = detector.invert(image[None]), detector.gan
    score, threshold, y = float(found.scores()[0]), float(detector.threshold), found.reconstruction[0]
    map, verdict = detector.maps(found)[0], CLASSES[int(score > threshold)]
    residual = np.abs(image - y).mean(axis=-1)
    f_x, f_y = np.asarray(detector.features(np.stack([image, y])))
    ax = _sheet(PAGE, 3.45)
    ax.text(0.1, 3.24, "1   Train once: G and D learn from normal images alone", weight="bold", size=9)
    for i, made in enumerate(gan.sample(4, seed=0)):
        _tile(ax, rgb(normal[i]), 0.1 + 0.6 * i, 2.38, 0.55)
        _tile(ax, rgb(made), 3.7 + 0.6 * i, 2.38, 0.55)
    ax.text(0.1, 2.98, "normal images", size=SMALL)
    ax.text(3.7, 2.98, "generated images", size=SMALL)
    _box(ax, 2.72, 2.45, 0.72, "D", "real or generated?", "discriminator")
    _box(ax, 6.3, 2.45, 0.42, "G", "", "generator")
    ax.text(7.08, 2.66, "z", ha="right", va="center", size=9)
    ax.text(7.08, 2.4, "random", ha="right", va="top", size=6.5)
    for start, end in ((2.48, 2.7), (3.67, 3.46), (6.28, 6.08), (6.96, 6.75)):
        _arrow(ax, (start, 2.66), (end, 2.66))
    ax.plot([0.1, PAGE - 0.1], [2.12, 2.12], color=COLOURS["neutral"], linewidth=0.5)
    ax.text(0.1, 1.9, "2   Then for each image: find its z, and score what G(z) cannot explain", weight="bold", size=9)
    way = "encoder" if detector.init == "encoder" else "search"
    _tile(ax, rgb(image), 0.1, 0.47, 0.95, "image x")
    _arrow(ax, (1.08, 0.94), (1.55, 0.94), way)
    _sphere(ax, 1.92, 0.94, 0.34, found.z[0])
    _arrow(ax, (2.29, 0.94), (2.58, 0.94), "G")
    _tile(ax, rgb(y), 2.61, 0.47, 0.95, "similar image G(z)")
    maps = {"residual": residual, "discrimination": np.abs(f_x - f_y).mean(axis=-1)}
    for (name, values), low, formula in zip(maps.items(), (1.1, 0.2), ("|x − G(z)|", "|f(x) − f(G(z))|"), strict=True):
        _arrow(ax, (3.6, 0.94 + (low - 0.65) / 2), (3.92, low + 0.32))
        _tile(ax, values, 3.95, low, 0.58, cmap="magma", vmin=0)
        ax.text(4.24, low + 0.62, f"{name[0].upper()} = {getattr(found, name)[0]:.0f}", size=SMALL, ha="center")
        ax.text(4.24, low - 0.03, formula, size=6, ha="center", va="top")
        _arrow(ax, (4.57, low + 0.32), (4.88, 0.94 + (low - 0.65) / 2))
    scores = ax.inset_axes([4.95, 0.47, 1.0, 0.9], transform=ax.transData)
    scores.hist(detector.calibration_scores, 15, color=COLOURS["normal"])
    scores.axvline(threshold, color="black", linestyle=":", linewidth=1.2)
    scores.plot(score, 1, "v", color=COLOURS[verdict], markersize=6)
    scores.set(yticks=[], xticks=[score], xticklabels=[f"A = {score:.3g}"])
    scores.tick_params(labelsize=6.5, length=2)
    scores.spines[["top", "right", "left"]].set_visible(False)
    scores.text(threshold, scores.get_ylim()[1], " threshold", size=6.5, va="top")
    ax.text(5.45, 1.48, "anomaly score A", size=SMALL, ha="center")
    _arrow(ax, (5.97, 0.94), (6.12, 0.94))
    _tile(ax, overlay_image(image, map, vmax=detector.map_scale, opacity=0.9), 6.15, 0.47, 0.95, verdict)
    return described(
        ax.figure,
        f"Two rows. Above: the discriminator D compares normal images with those of the generator G. Below: an image, "
        f"its z on a sphere, found by the {way}; G(z); two maps of differences, R = {found.residual[0]:.0f} and "
        f"D = {found.discrimination[0]:.0f}; the score {score:.3g} beside the threshold {threshold:.3g}; the anomaly "
        f"map over x, called {verdict}.",
    )


def growing_blocks(generator, z: np.ndarray, sheets: int = 4) -> "Figure":
    """Draw a generator as blocks that grow: z (L,), the `sheets` strongest feature maps of each block, the image."""
    import keras

    z, last = np.asarray(z, "float32")[None], {}
    for layer in generator.layers:
        shape = layer.output.shape
        if len(shape) == 4 and shape[-1] > generator.output_shape[-1] and not isinstance(layer, keras.layers.ReLU):
            last[tuple(shape[1:3])] = layer.output  # of each size, what comes last, before it is rectified
    blocks = [np.asarray(each)[0] for each in keras.Model(generator.input, [*last.values()])(z, training=False)]
    picture = np.asarray(generator(z, training=False))[0]
    sides = np.linspace(0.45, 0.95, len(blocks))
    ax = _sheet(PAGE, 1.95)
    ax.imshow(z.T, cmap="PuOr", aspect="auto", extent=(0.15, 0.3, 0.45, 1.6), zorder=2)
    ax.text(0.22, 1.68, "z", ha="center", size=9)
    ax.text(0.22, 0.36, f"{z.size}", ha="center", va="top", size=SMALL)
    gap = (PAGE - 0.45 - 1.3 - (sides + 0.08 * (sheets - 1)).sum()) / (len(blocks) + 1)
    x = 0.35
    for side, block in zip(sides, blocks, strict=True):
        _arrow(ax, (x + 0.02, 1.02), (x + gap - 0.04, 1.02))
        x += gap
        coarse = block[: len(block) // 2 * 2, : block.shape[1] // 2 * 2]
        coarse = coarse.reshape(len(block) // 2, 2, block.shape[1] // 2, 2, -1).mean(axis=(1, 3))  # without stripes
        strength = coarse.std(axis=(0, 1)) ** 2 / (block.std(axis=(0, 1)) + 1e-9)
        for i, channel in enumerate(np.argsort(-strength)[:sheets][::-1]):
            shift = 0.08 * (sheets - 1 - i)
            _tile(ax, block[..., channel], x + shift, 1.02 - side / 2 + shift - 0.08, side, cmap="gray")
        text = "{}×{}\n{} maps".format(*block.shape)
        ax.text(x + side / 2, 0.36, text, ha="center", va="top", size=SMALL)
        x += side + 0.08 * (sheets - 1)
    _arrow(ax, (x + 0.02, 1.02), (x + gap - 0.04, 1.02))
    _tile(ax, rgb(picture), x + gap, 0.4, 1.25)
    ax.text(x + gap + 0.62, 1.68, "G(z)", ha="center", size=9)
    ax.text(x + gap + 0.62, 0.36, "×".join(map(str, picture.shape)), ha="center", va="top", size=SMALL)
    shapes = ", ".join("×".join(map(str, block.shape)) for block in blocks)
    return described(ax.figure, f"The generator turns {z.size} numbers into feature maps of {shapes}, then an image.")


def search_path(detector, image: np.ndarray, steps: int = 100) -> "Figure":
    """Draw a search from a random start: left z on its way over the sphere, right G(z) on its way to image (H, W, C).

    On the left is the plane of the two main directions of z, on the right the plane through the first G(z), the image
    and the point of the path that lies farthest from the line between them.
    """
    found = detector.invert(image[None], init="random", steps=steps, trace=True, record_every=1)
    z, path, numbers = found.trace.z[:, 0], found.trace.residual[:, 0], found.trace.steps  # (T, L), (T,), (T,)
    drawn = np.asarray(detector.generator(z, training=False))
    ax, centre, radius = _sheet(PAGE, 3.2), np.array([1.35, 1.5]), 1.2
    _sphere(ax, *centre, radius)
    left = z @ np.linalg.svd(z, full_matrices=False)[2][:2].T  # the plane in which most of the way lies
    left = centre + 0.97 * radius * left / np.linalg.norm(z, axis=1).max()
    right = _onto_plane(drawn, image) * (2.65, 0.75) + (3.75, 1.2)  # (T + 1, 2)
    walked = np.linalg.norm(right[:-1] - right[0], axis=1)
    middle, last = int(np.argmax(walked > 0.6 * walked[-1])), len(z) - 1
    when = [0, middle, last] if right[middle, 0] - right[0, 0] > 0.8 else [0, last]  # pictures need room
    for side in (left, right[:-1]):
        ax.plot(*side.T, color=COLOURS["score"], linewidth=1.0, zorder=4)
        ax.plot(*side[when].T, "o", color=COLOURS["score"], markersize=5, zorder=5)
    ax.plot(*right[-2:].T, ":", color=COLOURS["residual"], linewidth=2, zorder=2)
    for t in when:
        name = f"step {numbers[t]}" if t else "start"
        beside = (6, -9 if t == middle else 4)
        ax.annotate(f"z, {name}", left[t], beside, textcoords="offset points", size=SMALL, zorder=7)
        (x, y), up, label = right[t], t == last, f"{name}: R = {path[t]:.0f}"
        low = y + 0.3 if up else y - 1.0
        ax.plot([x, x], [y, low if up else low + 0.7], color="black", linewidth=0.5)
        _tile(ax, rgb(drawn[t]), x - 0.35, low, 0.7)
        ax.text(x, low + 0.76 if up else low - 0.06, label, ha="center", va="bottom" if up else "top", size=SMALL)
    _tile(ax, rgb(image), right[-1, 0] - 0.1, right[-1, 1] - 0.35, 0.7)
    ax.text(right[-1, 0] + 0.25, right[-1, 1] - 0.41, "image x", ha="center", va="top", size=SMALL)
    ax.text(*(right[-2:].mean(axis=0) + 0.08), "the residual", size=SMALL, color=COLOURS["residual"])
    _arrow(ax, (2.65, 1.5), (3.2, 1.5), "G", 11)
    for x, text in ((centre[0], "where z lives"), (4.2, "where images live")):
        ax.text(x, 3.0, text, ha="center", size=9, weight="bold")
    fallen = f"After {numbers[-1]} steps R has fallen from {path[0]:.0f} to {path[-1]:.0f}."
    return described(ax.figure, f"Left, z walks over a sphere; right, G(z) walks towards the image x. {fallen}")


def _onto_plane(drawn: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Project G(z) on its way (T, H, W, C) onto a plane, (T + 1, 2): the first at (0, 0), the image x last, at (1, 0).

    The second axis is the direction in which the way leaves the line between those two most, at most 1.
    """
    points = np.concatenate([drawn, image[None]]).reshape(len(drawn) + 1, -1) - drawn[0].ravel()
    line = points[-1] / (points[-1] @ points[-1])
    along = points @ line
    across = points - along[:, None] * points[-1]
    across = across @ np.linalg.svd(across, full_matrices=False)[2][0]
    return np.stack([along, across / across[np.abs(across).argmax()]], axis=1)


def losses_plane(detector, data, found=None, mark: int | None = None) -> "Figure":
    """Draw each image at its losses R and D, and for several lambdas the line on which A(x) is the threshold.

    A(x) = (1 - lambda) R + lambda D is the same along a line of slope -(1 - lambda) / lambda, so lambda turns the line.
    Thresholds come from the calibration images, at the detector's false-alarm rate; that of the paper's lambda is bold.
    `data` is a Split with labels; `found` is what `detector.invert` or `.predict` gave for it, None to search now. The
    image `mark` stands in a wide frame.
    """
    losses, labels = (found or detector.invert(data)).losses, data.labels
    points = np.stack([losses["residual"], losses["discrimination"]], axis=1)  # (N, 2)
    ax = new_axes(PAGE, 4.6)
    colours = [COLOURS[name] for name in CLASSES]
    for k, name in enumerate(CLASSES):
        look = {"color": colours[k], "marker": MARKERS[k], "alpha": 0.85, "linewidths": 0}
        ax.scatter(*points[labels == k].T, 22, label=name, **look)
    ax.set(xlabel="residual loss R", ylabel="discrimination loss D")
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    ax.autoscale(False)
    cuts = {}
    for each in LAMS:
        scores = detector.combine(detector.calibration, each, "paper")
        cuts[each] = cut = float(detector.calibration.threshold(scores, detector.false_alarm_rate))
        ends = [(cut, bottom), (cut, top)] if each == 0 else [(r, (cut - (1 - each) * r) / each) for r in (left, right)]
        bold = each == PUBLISHED_LAM
        ax.plot(*np.transpose(ends), "-" if bold else "--", color="black", linewidth=2 if bold else 0.9)
        x, y = ends[-1] if each and bottom < ends[-1][1] < top else ((cut - each * top) / (1 - each), top)
        # where the line leaves the picture
        place = {"ha": "right" if each else "left", "va": "bottom"} if y == top else {"va": "center"}
        ax.text(x, y, f" λ = {each:g}", size=SMALL, weight="bold" if bold else "normal", **place)
    ax.legend(loc="upper left", frameon=False)
    thumbnails(ax, points, data.images, [colours[k] for k in labels], mark)
    hits = (f"{np.mean(points[labels == 1] @ (1 - each, each) > cut):.0%} at {each:g}" for each, cut in cuts.items())
    return described(
        ax.figure,
        f"{len(points)} images at their losses R and D. For each lambda a line marks the threshold; beyond it lie, of "
        f"the anomalous images: {', '.join(hits)}.",
    )


def _sheet(width: float, height: float) -> "Axes":
    """Make a white figure whose one Axes is measured in inches."""
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height))
    ax.set_axis_off()
    return ax


def _tile(ax: "Axes", picture: np.ndarray, x: float, y: float, side: float, title: str = "", **colours) -> None:
    """Show (h, w, 3) uint8, or (h, w) in the `colours` of imshow, with its lower left corner at (x, y), framed."""
    where = {"extent": (x, x + side, y, y + side), "aspect": "auto", "zorder": 3}
    ax.imshow(picture, interpolation="nearest", **where, **colours)
    ax.plot([x, x + side, x + side, x, x], [y, y, y + side, y + side, y], color="black", linewidth=0.5, zorder=3)
    ax.text(x + side / 2, y + side + 0.06, title, ha="center", size=SMALL)


def _box(ax: "Axes", x: float, y: float, width: float, name: str, text: str, who: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    look = {"boxstyle": "round,pad=0,rounding_size=0.06", "facecolor": "white", "edgecolor": COLOURS[who]}
    ax.add_patch(FancyBboxPatch((x, y), width, 0.42, linewidth=1.6, **look))
    ax.text(x + width / 2, y + 0.22, name, ha="center", va="center", size=11, weight="bold", color=COLOURS[who])
    ax.text(x + width / 2, y - 0.05, text, ha="center", va="top", size=6.5)


def _arrow(ax: "Axes", start, end, text: str = "", size: float = SMALL) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "black", "shrinkA": 0, "shrinkB": 0})
    ax.text((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.07, text, ha="center", size=size)


def _sphere(ax: "Axes", x: float, y: float, radius: float, z: np.ndarray | None = None) -> None:
    """Draw a sphere; a z (L,) is a dot where its first two numbers say."""
    angle = np.linspace(0, 2 * np.pi, 100)
    for share in (1.0, 0.62, 0.22):
        ax.plot(x + share * radius * np.cos(angle), y + radius * np.sin(angle), color=COLOURS["neutral"], linewidth=0.5)
        ax.plot(x + radius * np.cos(angle), y + share * radius * np.sin(angle), color=COLOURS["neutral"], linewidth=0.5)
    if z is not None:
        ax.plot(*(np.array([x, y]) + 0.3 * radius * z[:2]), "o", color=COLOURS["score"], markersize=6)
        ax.text(x, y + radius + 0.06, "z", ha="center", size=9)
