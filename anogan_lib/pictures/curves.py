"""Draw curves, distributions and tables: of training, of the search and of an evaluation.

Each function returns its Figure; where an `ax` is given it draws into it. See `images` for what holds for all.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from anogan_lib.evaluation.metrics import auroc, average_precision, bootstrap_interval
from anogan_lib.pictures.images import rgb
from anogan_lib.pictures.style import CLASSES, COLOURS, DASHES, MARKERS, PAGE, described, new_axes, new_figure, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEW = 30  # images: fewer are drawn one by one


def losses(history: Mapping[str, Sequence], guessing=None) -> "Figure":
    """Draw a training run over its epochs: history["d_loss"], ["g_loss"] and ["diversity"], (epochs,) each.

    Dotted are the losses where D can only guess, `gan.guessing`, by default a DCGAN's; and the diversity below which
    `train` warns.
    """
    from anogan_lib.training.progress import LEAST_DIVERSITY

    left, right = new_figure(PAGE, 3.2).subplots(1, 2)
    epochs, diverse = range(1, len(history["d_loss"]) + 1), history["diversity"]
    for name, who in (("d_loss", "discriminator"), ("g_loss", "generator")):
        left.plot(epochs, history[name], DASHES[who], color=COLOURS[who], label=who)
    guessing_lines(left, guessing or (2 * np.log(2), np.log(2)))
    left.set(xlabel="epoch", ylabel="loss")
    left.legend(frameon=False)
    right.plot(epochs, diverse, color=COLOURS["generator"])
    right.axhline(LEAST_DIVERSITY, linestyle=":", linewidth=1.2, color="black", label="warning below this")
    right.set(xlabel="epoch", ylabel="diversity of generated images", ylim=(0, max(1.05, *diverse)))
    right.legend(frameon=False, loc="lower right")
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    last = {name: history[name][-1] for name in ("d_loss", "g_loss", "diversity")}
    text = "The losses over {n} epochs; at the end D's is {d_loss:.2f} and G's {g_loss:.2f}."
    text += " The diversity at the end is {diversity:.2f}."
    return described(left.figure, text.format(n=len(epochs), **last))


def guessing_lines(ax: "Axes", guessing: tuple[float, float]) -> None:
    """Draw the losses of D and of G where D can only guess, `gan.guessing`."""
    for loss, who in zip(guessing, ("discriminator", "generator"), strict=True):
        name = f"D guesses: {'2 ' if loss > 1 else ''}ln 2"
        ax.axhline(loss, linestyle=":", linewidth=1.2, color=COLOURS[who], label=name)


def score_distributions(
    scores: np.ndarray, labels: np.ndarray, threshold: float | None = None, ax: "Axes | None" = None, bins: int = 30
) -> "Figure":
    """Draw how normal scores (upwards) and anomalous ones (downwards) are distributed, and the threshold.

    Each class fills a histogram of shares on the same bins, so that 50 images can be compared with 1,000. Where there
    are fewer than 30 images in all, each is a dot.
    """
    ax = ax or new_axes()
    scores, labels = np.asarray(scores), np.asarray(labels)
    edges = np.histogram_bin_edges(scores, bins)
    for k, (name, sign) in enumerate(zip(CLASSES, (1, -1), strict=True)):
        own = scores[labels == k]
        if len(scores) < FEW:
            ax.plot(own, np.full(len(own), sign), MARKERS[k], color=COLOURS[name], label=name, alpha=0.75)
        elif len(own):
            share = sign * np.histogram(own, edges)[0] / len(own)
            ax.stairs(share, edges, fill=True, color=COLOURS[name], label=f"{name} ({len(own)})")
    ax.axhline(0, color="black", linewidth=0.8, label="_nolegend_")
    if threshold is not None:
        ax.axvline(float(threshold), color="black", linestyle=":", label=f"threshold {float(threshold):.4g}")
    if len(scores) < FEW:
        ax.set(ylim=(-2, 2), yticks=[1, -1], yticklabels=CLASSES)
    else:
        ax.yaxis.set_major_formatter(lambda share, _: f"{100 * abs(share):.0f} %")
        ax.set_ylabel("share of the class")
    ax.set_xlabel("anomaly score")
    ax.legend(edgecolor="none", framealpha=0.85, fontsize="small")
    medians = [f"{name} {np.median(scores[labels == k]):.4g}" for k, name in enumerate(CLASSES) if (labels == k).any()]
    said = "" if threshold is None else f"; threshold {float(threshold):.4g}"
    return described(ax.figure, f"The scores of {len(scores)} images; median: {', '.join(medians)}{said}.")


def roc_curve(
    scores: np.ndarray, labels: np.ndarray, threshold: float | None = None, ax: "Axes | None" = None
) -> "Figure":
    """Draw hit rate against false-alarm rate over all thresholds, with the point of `threshold`."""
    from sklearn import metrics as sk

    ax = ax or new_axes(3.8, 3.6)
    false_alarms, hits, _ = sk.roc_curve(labels, scores)
    ax.plot(false_alarms, hits, color=COLOURS["score"], label=f"AUROC {auroc(labels, scores):.3f}")
    ax.plot([0, 1], [0, 1], ":", color=COLOURS["neutral"], label="chance")
    if threshold is not None:
        called, bad = np.asarray(scores) > float(threshold), np.asarray(labels) == 1
        ax.plot(called[~bad].mean(), called[bad].mean(), "o", color="black", label="threshold")
    ax.set(xlabel="false-alarm rate", ylabel="hit rate", aspect="equal", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.legend(frameon=False, loc="lower right")
    return described(ax.figure, f"Hit rate against false-alarm rate, AUROC {auroc(labels, scores):.3f}.")


def precision_recall_curve(
    scores: np.ndarray, labels: np.ndarray, threshold: float | None = None, ax: "Axes | None" = None
) -> "Figure":
    """Draw precision against recall over all thresholds; chance is the share of anomalous images."""
    from sklearn import metrics as sk

    ax = ax or new_axes(3.8, 3.6)
    precision, recall, _ = sk.precision_recall_curve(labels, scores)
    area = f"average precision {average_precision(labels, scores):.3f}"
    ax.step(recall[::-1], precision[::-1], where="post", color=COLOURS["score"], label=area)
    ax.axhline(np.mean(labels), linestyle=":", color=COLOURS["neutral"], label="chance")
    called, bad = np.asarray(scores) > float(np.inf if threshold is None else threshold), np.asarray(labels) == 1
    if called.any():
        ax.plot(called[bad].mean(), bad[called].mean(), "o", color="black", label="threshold")
    ax.set(xlabel="recall (hit rate)", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
    ax.legend(frameon=False, loc="lower left")
    return described(ax.figure, f"Precision against recall, {area}.")


def lambda_curve(
    lams: np.ndarray,
    curves: Mapping[str, np.ndarray],
    chosen: float | None = None,
    ax: "Axes | None" = None,
    xlabel: str = "lambda (0: residual alone, 1: discrimination alone)",
    ylabel: str = "AUROC",
) -> "Figure":
    """Draw AUROC over L lambdas, or what the labels say; `curves` by name, (L,) each."""
    ax = ax or new_axes()
    for i, (name, values) in enumerate(curves.items()):
        dash, colour = (("-", COLOURS["score"]), ("--", "black"), (":", COLOURS["neutral"]))[i % 3]
        ax.plot(lams, values, dash + MARKERS[i % 8], color=colour, label=name, markersize=4)
    if chosen is not None:
        ax.axvline(chosen, color="black", linestyle=":", label=f"lambda = {chosen:g}")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(frameon=False)
    ranges = ", ".join(f"{name} {np.min(values):.3f} to {np.max(values):.3f}" for name, values in curves.items())
    return described(ax.figure, f"{ylabel} over {xlabel.split(' (')[0]}: {ranges}.")


def ladder(rungs: Mapping[str, np.ndarray], labels: np.ndarray, rivals: Mapping[str, float]) -> "Figure":
    """Draw the AUROC of each rung with its 95 % interval, the first at the bottom, and those of rivals as dashed lines.

    `rungs` are the scores of the same images, (N,) each, and `rivals` AUROC, both by name.
    """
    ax = new_axes(PAGE, 0.36 * len(rungs) + 1)
    areas = np.array([auroc(labels, np.asarray(scores)) for scores in rungs.values()])
    ends = [bootstrap_interval(auroc, labels, np.asarray(scores)) for scores in rungs.values()]
    ax.errorbar(areas, range(len(rungs)), xerr=np.abs(np.transpose(ends) - areas), fmt="o", color=COLOURS["score"])
    for i, area in enumerate(areas):
        ax.annotate(f"{area:.3f}", (area, i), (0, 5), textcoords="offset points", ha="center", fontsize="small")
    for (name, value), dash in zip(rivals.items(), ("--", ":", "-."), strict=False):
        ax.axvline(value, linestyle=dash, color="black", linewidth=1.2, label=f"{name} {value:.3f}")
    ax.set(xlabel="AUROC", yticks=range(len(rungs)), yticklabels=list(rungs), ylim=(-0.6, len(rungs) - 0.2))
    ax.legend(frameon=False, loc="lower right")
    steps = ", ".join(f"{name} {area:.3f}" for name, area in zip(rungs, areas, strict=True))
    against = ", ".join(f"{name} {value:.3f}" for name, value in rivals.items())
    return described(ax.figure, f"AUROC, rung by rung: {steps}; dashed: {against}.")


def confusion_table(confusion: Mapping[str, int]) -> "Figure":
    """Draw the four counts of `metrics.confusion` as a table: rows are the truth, columns the verdicts."""
    ax = new_axes(3.2, 2.6)
    names = [["true_normal", "false_alarm"], ["missed", "hit"]]
    counts = np.array([[confusion[name] for name in row] for row in names])  # (2, 2)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(share, cmap="Greys", vmin=0, vmax=1.6, aspect="auto")
    for (i, j), count in np.ndenumerate(counts):
        ax.text(j, i, f"{count}\n{names[i][j].replace('_', ' ')}", ha="center", va="center")
    ax.set(xticks=[0, 1], yticks=[0, 1], xlabel="verdict", ylabel="truth", xticklabels=CLASSES)
    ax.set_yticklabels(CLASSES, rotation=90, va="center")
    ax.tick_params(length=0)
    return described(
        ax.figure, f"Verdicts: {', '.join(f'{n} {name}' for name, n in confusion.items())}.".replace("_", " ")
    )


def embedding(points: np.ndarray, labels: np.ndarray, images=None) -> "Figure":
    """Draw points (N, 2), for example of t-SNE, with a colour and a shape for each label: 0 and 1, or any names.

    Where `images` (N, H, W, C) are given, as many of them as find room stand at their points, framed in that colour.
    """
    ax = new_axes(PAGE if images is not None else 4.6, 4.8)
    points, labels = np.asarray(points), np.asarray(labels)
    names = [CLASSES[int(k)] if labels.dtype.kind in "iub" and k in (0, 1) else str(k) for k in labels]
    spare = iter(["#CC79A7", "#000000", "#B8A800", "#44AA99", "#999999"] * len(points))
    fixed = COLOURS | {"good": COLOURS["normal"], "generated": COLOURS["generator"]}
    colours = {name: fixed.get(name) or next(spare) for name in dict.fromkeys(names)}
    for i, (name, colour) in enumerate(colours.items()):
        here = points[np.array(names) == name]
        ax.scatter(*here.T, 18, color=colour, marker=MARKERS[i % 8], label=plain(name), linewidths=0, alpha=0.85)
    ax.set(xticks=[], yticks=[])
    ax.legend(frameon=False, markerscale=1.4)
    if images is not None:
        thumbnails(ax, points, images, [colours[name] for name in names])
    counts = ", ".join(f"{names.count(name)} {name}" for name in colours)
    return described(ax.figure, f"A map of {len(points)} images, similar ones close together: {counts}.")


def thumbnails(ax: "Axes", points: np.ndarray, images: np.ndarray, colours, mark: int | None = None) -> None:
    """Draw images (N, H, W, C) at their points (N, 2), framed, `mark` widely; those without room are left out."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    side = 0.34  # inches
    ax.figure.draw_without_rendering()  # so that the layout is settled
    inches = ax.transData.transform(points) / ax.figure.dpi
    taken = np.empty((0, 2))
    for i in sorted(range(len(points)), key=lambda i: i != mark):
        if (np.abs(taken - inches[i]).max(axis=1) > 1.15 * side).all():
            taken = np.vstack([taken, inches[i]])
            picture = OffsetImage(rgb(images[i]), zoom=72 * side / images[i].shape[1], interpolation="nearest")
            frame = {"edgecolor": colours[i], "linewidth": 4 if i == mark else 1.2}
            ax.add_artist(AnnotationBbox(picture, points[i], pad=0.08, bboxprops=frame)).set_in_layout(False)
