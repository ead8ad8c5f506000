"""A report to hand on: one HTML file with its pictures inside, which opens anywhere without a network.

>>> report.write("report.html", detector, data)

Every figure in it comes from `metrics`, every picture from `figures`; here they are only set beside each other.
"""

import base64
import importlib.metadata
import platform
import time
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np

from anogan_lib import figures, metrics, scoring, thresholds, weighing
from anogan_lib.datasets.base import AnomalyDataset, Split, labelled
from anogan_lib.files import short, write_text
from anogan_lib.localisation import outline, regions

IN_GALLERY, WORST = 60, 8  # pictures at most: in the gallery, and of misses and of false alarms
LEAST_PIXELS = 4  # smaller regions are not outlined
PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "scikit-learn")
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head><body><main>
{body}
</main></body></html>
"""
STYLE = """
:root { color-scheme: light }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 64rem; margin: 2rem auto; padding: 0 1rem }
h1, h2, h3 { line-height: 1.2 } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc }
.lead { font-size: 1.2rem } .note, caption, .plots figcaption { color: #555 }
table { display: block; max-width: 100%; overflow-x: auto; border-collapse: collapse; margin: 1rem 0 }
th, td, caption { padding: .2rem 1.2rem .2rem 0; text-align: left; vertical-align: top }
th, td { border-bottom: 1px solid #e4e4e4 } th { font-weight: 600; white-space: nowrap }
td { overflow-wrap: anywhere; font-variant-numeric: tabular-nums }
pre { background: #f5f5f5; padding: .8rem; white-space: pre-wrap }
.plots, .tiles { display: flex; flex-wrap: wrap; gap: 1rem } .tiles { gap: .8rem .6rem }
figure { margin: 0; max-width: 100%; break-inside: avoid }
figcaption { font-size: .75rem; line-height: 1.3; overflow-wrap: anywhere; max-width: 30rem }
.plots img { height: 19rem; max-width: 100%; object-fit: contain }
.tiles figure { width: 8.2rem } .tiles figure.three { width: 25.2rem } .three > div { display: flex; gap: .3rem }
.three .picture { flex: 1; min-width: 0 }
.picture { position: relative } .picture img { width: 100%; display: block }
.small img { image-rendering: pixelated }
.picture svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible }
path { fill: none; vector-effect: non-scaling-stroke } .found { stroke: #fff; stroke-width: 1 }
.mask { stroke: MASK; stroke-width: 2 }
.wrong { color: #b00020; font-weight: 600 }
""".replace("MASK", figures.COLOURS["mask"])


def write(path, detector, data, evaluation: metrics.Evaluation | None = None, prediction=None) -> Path:
    """Write the report on labelled images as one HTML file of a few megabytes at most.

    Args:
        path: of the file.
        detector: a calibrated AnoGAN.
        data: an AnomalyDataset (its test split is taken), a labelled Split, or a tf.data.Dataset of (image, label).
        evaluation, prediction: what `detector.evaluate` and `detector.predict` said of these very images; made now
            where None.
    """
    split = labelled(data)
    prediction = prediction or detector.predict(split)
    evaluation = evaluation or detector.evaluate(split, prediction)
    name = data.name if isinstance(data, AnomalyDataset) else f"{len(split)} images"
    title = f"AnoGAN on {name}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        *_verdict(detector, evaluation),
        *_plots(detector, evaluation, prediction),
        *_kinds_and_sizes(evaluation),
        *_pictures(detector, split, evaluation, prediction),
        *_settings(detector, evaluation),
        *_origin(detector, data),
    ]
    write_text(path, PAGE.format(title=escape(title), style=STYLE, body="\n".join(parts)))
    return Path(path)


# ---- the sections: each gives lines of HTML


def _verdict(detector, e: metrics.Evaluation) -> Iterable[str]:
    c = e.confusion
    good, bad = c["true_normal"] + c["false_alarm"], c["missed"] + c["hit"]
    said = []
    if bad:
        said.append(f"{c['hit']} of {bad} anomalous images were found ({100 * c['hit'] / bad:.0f} %)")
    if good:
        alarms = f"{c['false_alarm']} of {good} normal ones were called anomalous"
        said.append(f"{alarms} ({100 * c['false_alarm'] / good:.0f} %)")
    yield f'<p class="lead">{escape("; ".join(said))}.'
    if good:
        asked, (low, _) = detector.false_alarm_rate, e.false_alarm_interval
        kept = "is in keeping with" if low <= asked else "is more than"
        yield f"That rate of false alarms {kept} the {100 * asked:.3g} % that was asked for."
    if e.auroc is not None and e.baselines:
        best = max(e.baselines, key=e.baselines.get)
        against = "above" if e.auroc > e.baselines[best] else "not above"
        yield f"AUROC {e.auroc:.3f}, {against} the best simple baseline ({escape(best)}, {e.baselines[best]:.3f})."
    yield "</p>"
    rows = [
        (name.strip(), f"{value:.3f}", "" if between is None else "{:.3f} to {:.3f}".format(*between), beside)
        for name, value, between, beside in e.rows()
        if not name.startswith(" ")  # the kinds have a table of their own
    ]
    yield _table(("figure", "value", "95 % interval", "compare with"), rows, "Intervals: bootstrap, Wilson for rates.")


def _plots(detector, e: metrics.Evaluation, prediction) -> Iterable[str]:
    yield "<h2>Scores</h2>"
    both = e.auroc is not None
    drawn = [(figures.score_distributions(e.scores, e.labels, e.threshold), "Anomaly scores and the threshold.")]
    if both:
        drawn.append((figures.roc_curve(e.scores, e.labels, e.threshold), "Receiver operating characteristic."))
        drawn.append((figures.precision_recall_curve(e.scores, e.labels, e.threshold), "Precision and recall."))
    drawn.append((figures.confusion_table(e.confusion), "What is true and what was said."))
    if both:
        curve = {"re-weighted": weighing.auroc_reweighted(detector, prediction, e.labels)}
        said = "AUROC over lambda, re-weighted from one search. It has seen the labels: no way to choose lambda."
        drawn.append((figures.lambda_curve(weighing.LAMS, curve, detector.lam), said))
    yield f'<div class="plots">{"".join(_plot(*each) for each in drawn)}</div>'


def _kinds_and_sizes(e: metrics.Evaluation) -> Iterable[str]:
    head = ("hit rate", "95 % interval", "found")
    if e.hit_rate_by_kind:
        yield "<h2>Hit rate by kind of defect</h2>"
        found = {kind: e.verdicts[(e.kinds == kind) & (e.labels == 1)] for kind in e.hit_rate_by_kind}
        yield _table(("kind", *head), ((kind, *_rate(each.sum(), len(each))) for kind, each in found.items()))
    if e.hit_rate_by_size:
        yield "<h2>Hit rate by size of defect</h2>"
        smallest = "At no size are defects shown to be found nine times in ten."
        if e.smallest_found is not None:
            smallest = f"From {e.smallest_found} pixels of area on, defects are found at least nine times in ten."
        rows = ((f"{c['smallest']} to {c['largest']}", *_rate(c["hits"], c["images"])) for c in e.hit_rate_by_size)
        plot = _plot(figures.hit_rate_by_size(e.hit_rate_by_size, e.smallest_found), "Bars: 95 % intervals.")
        yield f'<p>{smallest}</p><div class="plots">{plot}{_table(("area (pixels)", *head), rows)}</div>'


def _pictures(detector, split: Split, e: metrics.Evaluation, prediction) -> Iterable[str]:
    order = np.argsort(-e.scores, kind="stable")
    evenly = np.unique(np.linspace(0, len(order) - 1, min(IN_GALLERY, len(order))).round().astype(int))
    wrong = e.verdicts != (e.labels == 1)
    misses = order[wrong[order] & (e.labels[order] == 1)][::-1]
    alarms = order[wrong[order] & (e.labels[order] == 0)]
    tile = _Tiles(detector, split, e, prediction)
    what = "image, most similar image G(z), anomaly map over the image"
    yield f'<h2>Pictures</h2><p class="note">{tile.legend}</p>'
    for heading, which, none in (
        ("Worst misses", misses, "No anomalous image was missed."),
        ("Worst false alarms", alarms, "No normal image was called anomalous."),
    ):
        yield f"<h3>{heading}</h3>"
        count = f"{len(which)} in all; {min(WORST, len(which))} shown, the worst first: {what}."
        yield f'<p class="note">{count if len(which) else none}</p><div class="tiles">'
        yield "".join(tile(i, whole=True) for i in which[:WORST]) + "</div>"
    all_or_some = "every image" if len(evenly) == len(order) else f"{len(evenly)} of {len(order)} images, evenly spaced"
    yield f'<h3>Gallery</h3><p class="note">Sorted by score, the most anomalous first: {all_or_some}.</p>'
    yield f'<div class="tiles">{"".join(tile(i) for i in order[evenly])}</div>'


def _settings(detector, e: metrics.Evaluation) -> Iterable[str]:
    yield "<h2>How threshold and lambda were set</h2>"
    threshold = f"Threshold {e.threshold:.4g}. {e.threshold_description or 'Set by hand.'}"
    own = detector.lam == scoring.DEFAULT_LAM[detector.score]
    lam = f'lambda = {detector.lam:g} with score="{detector.score}", ' + (
        "that score's default; labels had no part in it." if own else "set by whoever made or ran the detector."
    )
    normal = e.scores[e.labels == 0]
    yield f"<p>{escape(threshold)}</p><p>{escape(lam)}</p>"
    if len(normal) >= thresholds.ENOUGH_FOR_DRIFT:
        yield f"<p>Of the normal images among these: {escape(detector.drift(normal)[1])}</p>"


def _origin(detector, data) -> Iterable[str]:
    yield "<h2>Data, weights and versions</h2>"
    if isinstance(data, AnomalyDataset):
        yield f"<pre>{escape(data.summary())}</pre>"
    height, width, channels = detector.image_shape
    way = "random start" if detector.encoder is None else "encoder"
    about = {
        "images": f"{height} x {width} x {channels}",
        "way to z": way if detector.steps is None else f"{way}, then {detector.steps} search steps",
        "epochs of the DCGAN": int(detector.gan.epochs_done),
        "region of interest": "whole image" if detector.region is None else f"{detector.region.sum()} pixels",
    }
    yield _table(("detector", ""), about.items())
    if detector.card:
        yield _table(("card", ""), ((key.replace("_", " "), short(value)) for key, value in detector.card.items()))
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    versions |= {"python": platform.python_version(), "report written": time.strftime("%Y-%m-%d %H:%M")}
    import anogan_lib

    yield _table(("version", ""), ({"anogan_lib": anogan_lib.__version__} | versions).items())


# ---- their parts


def _rate(hits: int, images: int) -> tuple[str, str, str]:
    low, high = metrics.wilson_interval(hits, images)
    return f"{hits / images:.3f}", f"{low:.3f} to {high:.3f}", f"{hits} of {images}"


class _Tiles:
    """Pictures of single images, by their place in the split."""

    def __init__(self, detector, split: Split, evaluation, prediction):
        self.split, self.evaluation, self.prediction = split, evaluation, prediction
        self.vmax = detector.map_scale
        try:
            self.pixel_threshold = detector.pixel_threshold
        except ValueError:  # weights of before there was one, or too few images for the rate
            self.pixel_threshold = None
        self.legend = "Thick outline: the true defect." if split.masks is not None else ""
        if self.pixel_threshold is not None:
            self.legend += f" Thin outline: {LEAST_PIXELS} or more pixels above the pixel threshold, "
            self.legend += f"{self.pixel_threshold:.4g}, which at most {100 * detector.false_alarm_rate:.3g} % of new "
            self.legend += "normal images are expected to exceed anywhere."

    def __call__(self, i: int, whole: bool = False) -> str:
        """The overlay, or with `whole` image, G(z) and overlay, with outlines and a caption."""
        e, one = self.evaluation, self.split[int(i)]
        image, map = one.images[0], self.prediction.maps[i]
        named = "" if e.names is None else str(e.names[i])
        truth = figures.CLASSES[e.labels[i]] if e.kinds is None else str(e.kinds[i])
        said = figures.CLASSES[int(e.verdicts[i])]
        found = [] if self.pixel_threshold is None else regions(map, self.pixel_threshold, LEAST_PIXELS)
        outlines = "".join(_path("found", each.mask) for each in found)
        if one.masks is not None:
            outlines += _path("mask", one.masks[0])
        about = f"{named} ({truth}), score {e.scores[i]:.4g}, said to be {said}"
        pictures = _picture(figures.overlay_image(image, map, vmax=self.vmax), f"anomaly map over {about}", outlines)
        if whole:
            similar = figures.rgb(self.prediction.reconstruction[i])
            similar = _picture(similar, f"image most similar to {named}")
            pictures = _picture(figures.rgb(image), about) + similar + pictures
        mark = ' class="wrong"' if (said == "anomalous") != (e.labels[i] == 1) else ""
        caption = f"<b>{e.scores[i]:.4g}</b><br><span{mark}>said {said}</span><br>true: {escape(truth)}<br>"
        kind = ' class="three"' if whole else ""
        return f"<figure{kind}><div>{pictures}</div><figcaption>{caption}{escape(named)}</figcaption></figure>"


def _picture(rgb: np.ndarray, alt: str, outlines: str = "") -> str:
    """(H, W, 3) uint8 as an image: small ones exact, larger ones as JPEG, which is a quarter of the size."""
    from PIL import Image

    height, width = rgb.shape[:2]
    small, file = max(height, width) <= 64, BytesIO()
    Image.fromarray(rgb).save(file, "PNG" if small else "JPEG", **({} if small else {"quality": 88}))
    drawn = f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{outlines}</svg>' if outlines else ""
    image = _image("png" if small else "jpeg", file.getvalue(), alt)
    return f'<div class="picture{" small" if small else ""}">{image}{drawn}</div>'


def _path(kind: str, mask: np.ndarray) -> str:
    """The outline of a mask (H, W) as an SVG path, in pixels."""
    steps = [f"M{x0:g} {y0:g}L{x1:g} {y1:g}" for (x0, y0), (x1, y1) in outline(mask) + 0.5]
    return f'<path class="{kind}" d="{"".join(steps)}"/>' if steps else ""


def _plot(figure, caption: str) -> str:
    file = BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    label = caption or figure.axes[0].get_ylabel()
    return f"<figure>{_image('svg+xml', file.getvalue(), label)}<figcaption>{escape(caption)}</figcaption></figure>"


def _image(kind: str, content: bytes, alt: str) -> str:
    return f'<img src="data:image/{kind};base64,{base64.b64encode(content).decode()}" alt="{escape(alt)}">'


def _table(head: Sequence[str], rows: Iterable[Sequence], caption: str = "") -> str:
    lines = [f"<table>{f'<caption>{escape(caption)}</caption>' if caption else ''}<tr>"]
    lines += [f'<th scope="col">{escape(name)}</th>' for name in head]
    for first, *cells in rows:
        lines.append(f'</tr><tr><th scope="row">{escape(str(first))}</th>')
        lines += [f"<td>{escape(str(cell))}</td>" for cell in cells]
    return "".join([*lines, "</tr></table>"])
