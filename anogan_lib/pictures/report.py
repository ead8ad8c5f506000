"""Write a report to hand on: one HTML file with its pictures inside, which opens anywhere without a network.

>>> report.write("report.html", detector, data)

Every figure comes from `evaluation`, every picture from `images` and `curves`; `report.html` holds the page's text.
"""

import importlib.metadata
import platform
import time
from io import BytesIO
from pathlib import Path

import numpy as np

from anogan_lib.checks import printable
from anogan_lib.datasets.base import AnomalyDataset, Split, labelled
from anogan_lib.evaluation import metrics, thresholds
from anogan_lib.evaluation.evaluation import LAMS, Evaluation, auroc_over_lambda
from anogan_lib.evaluation.regions import outline, regions
from anogan_lib.pictures import curves, images
from anogan_lib.pictures.page import base64_of
from anogan_lib.pictures.style import CLASSES, COLOURS
from anogan_lib.saving import short, write_text

IN_GALLERY, WORST = 60, 8  # pictures at most: in the gallery, and of misses and of false alarms
LEAST_PIXELS = 4  # smaller regions are not outlined
PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "scikit-learn")


def write(path, detector, data, evaluation: Evaluation | None = None, prediction=None) -> Path:
    """Write the report of a calibrated detector on labelled images as one HTML file of a few megabytes at most.

    Args:
        data: an AnomalyDataset (its test split is taken), a labelled Split, or a tf.data.Dataset of (image, label).
        evaluation, prediction: what `detector.evaluate` and `detector.predict` returned for the same data; made now
            where None.
    """
    import jinja2

    whole, split = isinstance(data, AnomalyDataset), labelled(data)
    prediction = prediction or detector.predict(split)
    e = evaluation or detector.evaluate(data if whole else split, prediction)
    rows = detector.unseen(split) if e.left_out else np.arange(len(split))  # of the images in the evaluation
    order = np.argsort(-e.scores, kind="stable")
    wrong = order[(e.verdicts != (e.labels == 1))[order]]
    misses, alarms = wrong[e.labels[wrong] == 1][::-1], wrong[e.labels[wrong] == 0]
    evenly = np.unique(np.linspace(0, len(order) - 1, min(IN_GALLERY, len(order))).round().astype(int))
    normal = e.scores[e.labels == 0]
    try:
        pixel_threshold = detector.pixel_threshold
    except ValueError:  # older weights have none; or too few images for the rate
        pixel_threshold = None

    def tiles(which: np.ndarray) -> list[dict]:
        parts = ((split[int(row)], prediction.maps[row], prediction.reconstruction[row]) for row in rows[which])
        return [_tile(e, i, *part, detector.map_scale, pixel_threshold) for i, part in zip(which, parts, strict=True)]

    template = Path(__file__).with_name("report.html").read_text(encoding="utf-8")
    options = {"autoescape": True, "undefined": jinja2.StrictUndefined, "finalize": _visible}
    page = jinja2.Environment(**options).from_string(template)
    content = page.render(
        title=f"AnoGAN on {data.name if whole else f'{len(split)} images'}",
        mask_colour=COLOURS["mask"],
        detector=detector,
        e=e,
        # the kinds have a table of their own
        figures=[_row(*each) for each in e.rows() if not each[0].startswith(" ")],
        plots=_plots(detector, e, {name: values[rows] for name, values in prediction.losses.items()}),
        kinds=_kinds(e),
        has_masks=split.masks is not None,
        pixel_threshold=pixel_threshold,
        least_pixels=LEAST_PIXELS,
        worst_of=[
            ("Worst misses", len(misses), tiles(misses[:WORST]), "No anomalous image was missed."),
            ("Worst false alarms", len(alarms), tiles(alarms[:WORST]), "No normal image was called anomalous."),
        ],
        gallery=tiles(order[evenly]),
        drift=detector.drift(normal)[1] if len(normal) >= thresholds.ENOUGH_FOR_DRIFT else None,
        summary=data.summary() if whole else None,
        card={key.replace("_", " "): short(value) for key, value in detector.card.items()},
        versions=_versions(),
    )
    write_text(path, content)
    return Path(path)


def _visible(value):
    """Escape invisible characters, such as those that reverse the text behind them."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "\n".join(map(printable, value.split("\n")))


def _row(name: str, value: float, interval: tuple | None, beside: str) -> tuple[str, str, str, str]:
    return name, f"{value:.3f}", "" if interval is None else "{:.3f} to {:.3f}".format(*interval), beside


def _plots(detector, e: Evaluation, losses: dict) -> list[dict]:
    drawn = {"Anomaly scores and the threshold.": curves.score_distributions(e.scores, e.labels, e.threshold)}
    if e.auroc is not None:
        drawn["Receiver operating characteristic."] = curves.roc_curve(e.scores, e.labels, e.threshold)
        drawn["Precision and recall."] = curves.precision_recall_curve(e.scores, e.labels, e.threshold)
    drawn["Verdicts against the truth."] = curves.confusion_table(e.confusion)
    if e.auroc is not None:
        curve = {"re-weighted": auroc_over_lambda(detector, losses, e.labels)}
        said = "AUROC over lambda, re-weighted from one search. It has seen the labels: no way to choose lambda."
        drawn[said] = curves.lambda_curve(LAMS, curve, detector.lam)
    return [{"src": _svg(figure), "caption": caption} for caption, figure in drawn.items()]


def _kinds(e: Evaluation) -> list[tuple[str, str, str, str]]:
    found = {kind: e.verdicts[(e.kinds == kind) & (e.labels == 1)] for kind in e.hit_rate_by_kind or {}}
    counts = {kind: (int(hits.sum()), len(hits)) for kind, hits in found.items()}
    return [_row(kind, k / n, metrics.wilson_interval(k, n), f"{k} of {n}") for kind, (k, n) in counts.items()]


def _versions() -> dict[str, str]:
    import anogan_lib

    versions = {"anogan_lib": anogan_lib.__version__} | {name: importlib.metadata.version(name) for name in PACKAGES}
    return versions | {"python": platform.python_version(), "report written": time.strftime("%Y-%m-%d")}


# ---- pictures


def _tile(e: Evaluation, i: int, one: Split, map, similar, vmax: float, pixel_threshold: float | None) -> dict:
    """Picture the i-th image of the evaluation (a split of it alone), G(z) and the overlay, with what was said."""
    name = "" if e.names is None else str(e.names[i])
    truth = CLASSES[e.labels[i]] if e.kinds is None else str(e.kinds[i])
    score, said = f"{e.scores[i]:.4g}", CLASSES[int(e.verdicts[i])]
    found = [] if pixel_threshold is None else regions(map, pixel_threshold, LEAST_PIXELS)
    outlines = [("found", _path(outline(each))) for each in found]
    if one.masks is not None and one.masks[0].any():
        outlines.append(("mask", _path(outline(one.masks[0]))))
    about = f"{name} ({truth}), score {score}, said to be {said}"
    pictures = [
        _picture(images.rgb(one.images[0]), about),
        _picture(images.rgb(similar), f"image most similar to {name}"),
        _picture(images.overlay_image(one.images[0], map, vmax=vmax), f"anomaly map over {about}", outlines),
    ]
    wrong = bool(e.verdicts[i]) != (e.labels[i] == 1)
    return {"pictures": pictures, "score": score, "said": said, "wrong": wrong, "truth": truth, "name": name}


def _picture(rgb: np.ndarray, alt: str, outlines=()) -> dict:
    """Encode (H, W, 3) uint8: small images exactly, larger ones as JPEG, a quarter of the size."""
    from PIL import Image

    height, width = rgb.shape[:2]
    small, file = max(height, width) <= 64, BytesIO()
    kind = "png" if small else "jpeg"
    Image.fromarray(rgb).save(file, kind, quality=88)  # PNG has no quality
    src = _data(kind, file.getvalue())
    return {"src": src, "alt": alt, "small": small, "width": width, "height": height, "outlines": outlines}


def _path(segments: np.ndarray) -> str:
    """Write an outline (K, 2, 2) as an SVG path, in pixels."""
    return "".join(f"M{x0:g} {y0:g}L{x1:g} {y1:g}" for (x0, y0), (x1, y1) in segments + 0.5)


def _svg(figure) -> str:
    import matplotlib

    file = BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "anogan_lib"}):  # the same names within the picture at each run
        figure.savefig(file, format="svg", metadata={"Date": None})
    return _data("svg+xml", file.getvalue())


def _data(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64_of(content)}"
