"""Draw curves, distributions and tables: of training, of the search and of an evaluation.

Each function returns its Figure; where an `ax` is given it draws into it. See `images` for what holds for all.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from anogan_lib.evaluation.metrics import auroc, average_precision
from anogan_lib.pictures.style import CLASSES, COLOURS, DASHES, MARKERS, axes_or_new, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def losses(history: Mapping[str, Sequence], ax: "Axes | None" = None) -> "Figure":
    """Draw both losses of a training run over its epochs: history["d_loss"] and history["g_loss"], (epochs,)."""
    ax = axes_or_new(ax)
    for name, who in (("d_loss", "discriminator"), ("g_loss", "generator")):
        ax.plot(range(1, len(history[name]) + 1), history[name], DASHES[who], color=COLOURS[who], label=who)
    ax.set(xlabel="epoch", ylabel="loss")
    ax.legend(frameon=False)
    return ax.figure


def trace_curves(steps: np.ndarray, residual: np.ndarray, discrimination: np.ndarray, names=None) -> "Figure":
    """Draw both losses of the search over its steps: steps (T,), losses (T, N), a line for each of N images."""
    figure = new_figure(5.2, 4.2)
    top, bottom = figure.subplots(2, 1, sharex=True)
    for ax, which, values in ((top, "residual", residual), (bottom, "discrimination", discrimination)):
        values = np.asarray(values).reshape(len(steps), -1)  # (T, N)
        for i, line in enumerate(values.T):
            named = {} if names is None else {"label": str(names[i]), "marker": MARKERS[i % len(MARKERS)]}
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
    """Draw histograms of normal and anomalous scores with the same bins, and the threshold."""
    ax = axes_or_new(ax)
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
    """Draw hit rate against false-alarm rate over all thresholds, with the point of `threshold`."""
    from sklearn import metrics as sk

    ax = axes_or_new(ax, 3.8, 3.6)
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
    """Draw precision against recall over all thresholds; chance is the share of anomalous images."""
    from sklearn import metrics as sk

    ax = axes_or_new(ax, 3.8, 3.6)
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
    """Draw AUROC over L lambdas; `curves` by name, such as "re-weighted" and "searched again", (L,) each."""
    ax = axes_or_new(ax)
    for i, (name, values) in enumerate(curves.items()):
        dash, colour = (("-", COLOURS["score"]), ("--", "black"), (":", COLOURS["neutral"]))[i % 3]
        ax.plot(lams, values, dash + MARKERS[i % 8], color=colour, label=name, markersize=4)
    if chosen is not None:
        ax.axvline(chosen, color="black", linestyle=":", label=f"lambda = {chosen:g}")
    ax.set(xlabel="lambda (0: residual alone, 1: discrimination alone)", ylabel="AUROC")
    ax.legend(frameon=False)
    return ax.figure


def confusion_table(confusion: Mapping[str, int], ax: "Axes | None" = None) -> "Figure":
    """Draw the four counts of `metrics.confusion` as a table: rows are the truth, columns the verdicts."""
    ax = axes_or_new(ax, 3.2, 2.6)
    names = [["true_normal", "false_alarm"], ["missed", "hit"]]
    counts = np.array([[confusion[name] for name in row] for row in names])  # (2, 2)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(share, cmap="Greys", vmin=0, vmax=1.6, aspect="auto")
    for (i, j), count in np.ndenumerate(counts):
        ax.text(j, i, f"{count}\n{names[i][j].replace('_', ' ')}", ha="center", va="center")
    ax.set(xticks=[0, 1], yticks=[0, 1], xlabel="verdict", ylabel="truth", xticklabels=CLASSES)
    ax.set_yticklabels(CLASSES, rotation=90, va="center")
    ax.tick_params(length=0)
    return ax.figure


def embedding(points: np.ndarray, labels: np.ndarray, ax: "Axes | None" = None, title: str = "") -> "Figure":
    """Draw points (N, 2), for example of t-SNE, with a colour and a shape for each label: 0 and 1, or any names."""
    ax = axes_or_new(ax, 4.6, 4.2)
    points, labels = np.asarray(points), np.asarray(labels)
    names = [CLASSES[int(k)] if labels.dtype.kind in "iub" and k in (0, 1) else str(k) for k in labels]
    spare = iter(["#CC79A7", "#000000", "#B8A800", "#44AA99", "#999999"] * len(points))
    fixed = COLOURS | {"good": COLOURS["normal"], "generated": COLOURS["generator"]}
    for i, name in enumerate(dict.fromkeys(names)):
        here = points[np.array(names) == name]
        colour = fixed.get(name) or next(spare)
        ax.scatter(*here.T, 18, color=colour, marker=MARKERS[i % 8], label=name, linewidths=0, alpha=0.85)
    ax.set(xticks=[], yticks=[], title=title)
    ax.legend(frameon=False, markerscale=1.4)
    return ax.figure
