"""Lambda and the false-alarm rate, over all test images at once."""

from typing import ClassVar

import numpy as np
import traitlets as tr

from anogan_lib import figures, metrics, scoring, thresholds
from anogan_lib.datasets.base import labelled
from anogan_lib.widgets.base import View, number, resized, script, sheet

LAMS = np.round(np.linspace(0, 1, 101), 2)
RATES = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
THUMBNAIL = 48  # pixels: no tile of the gallery is larger
COUNTS = ("true_normal", "false_alarm", "missed", "hit")
SENTENCE = (
    "Lambda {lam}, {score} score, {rate} % false alarms asked for: threshold {threshold}. {hit} of {anomalous} "
    "anomalous images found, {false_alarm} of {normal} normal ones called anomalous. AUROC {auroc}. "
    "Selected: {name} ({kind}), rank {rank}, score {own}."
)


class LambdaExplorer(View):
    """What lambda and the threshold do: scores, ROC, counts, hit rates and the ranking of all test images.

    Python works out 101 lambdas times all scores times all false-alarm rates; the browser looks up and draws, and
    asks for nothing while lambda moves. What is shown re-weights one search; `search_anew` searches at this lambda.

    >>> explorer = LambdaExplorer(detector, data.test)
    >>> explorer.lam = 0.3
    >>> explorer.outcome["hit"], explorer.ranking[:5]

    Args:
        detector: a calibrated AnoGAN.
        data: labelled images: a test split, a data set, or a tf.data.Dataset of (image, label).
        prediction: what `detector.predict` or `detector.invert` found for these very images; None to search now.
        rates: the false-alarm rates to choose from; those that the calibration images cannot promise are left out.

    Attributes:
        lam: lambda, 0 to 1 in steps of 0.01.
        score: "paper", "standardised" or "best".
        false_alarm_rate: one of `rates`.
        selected: the image chosen in the gallery, its place in the data.
        stepper: an InversionStepper of the same images, in which a click on the gallery opens one.
        anew: what `search_anew` found: "lam", "score", "steps", "auroc", "auroc_reweighted", and for each image
            "scores" and "reweighted".
    """

    _esm = script("explorer.js")
    _label = tr.Unicode("Lambda and threshold explorer").tag(sync=True)
    _sentence = tr.Unicode(SENTENCE).tag(sync=True)
    _follows: ClassVar = ("lam", "score", "false_alarm_rate", "selected")
    _actions: ClassVar = ("search_anew", "open_selected")

    lam = tr.Float(0.5).tag(sync=True)
    score = tr.Unicode("paper").tag(sync=True)
    false_alarm_rate = tr.Float(0.05).tag(sync=True)
    selected = tr.Int(0).tag(sync=True)
    linked = tr.Bool(False, help="whether there is a stepper").tag(sync=True)
    anew = tr.Dict().tag(sync=True)
    about = tr.Dict(help="names, labels, kinds, scores and rates to choose from").tag(sync=True)
    tables = tr.Dict(help="for score x lambda (x rate): what the browser looks up").tag(sync=True)
    thumbnails = tr.Dict().tag(sync=True)

    def __init__(self, detector, data, prediction=None, rates=RATES):
        split = labelled(data)
        self.detector, self.images, self.labels = detector, split.images, split.labels
        if not 0 < self.labels.sum() < len(self.labels):
            raise ValueError("The explorer compares normal with anomalous images: at least one of each is wanted.")
        known = np.sort(np.asarray(rates, float))
        least = 1 / (len(detector.calibration_scores) + 1)  # says so where the detector is not calibrated
        known = known[known >= least - 1e-12]
        if not len(known):
            raise ValueError(f"The calibration images can promise {least:.3g} or more. Received: {list(rates)}.")
        kinds = getattr(split, "kinds", None)
        self.kinds = np.asarray(figures.CLASSES)[self.labels] if kinds is None else np.asarray(kinds)
        self.losses = (prediction or detector.invert(split)).losses
        if len(self.losses["residual"]) != len(self.labels):
            raise ValueError(
                f"The prediction must be that of these {len(self.labels)} images. "
                f"Received: one of {len(self.losses['residual'])}."
            )
        names = getattr(split, "names", None)
        names = [f"image {i}" for i in range(len(self.labels))] if names is None else [str(name) for name in names]
        scores = scoring.SCORES if detector.spreads is not None else ("paper",)
        self.rates, self._scores, self._stepper = known, tuple(scores), None
        self._bad_kinds = sorted({str(kind) for kind in self.kinds[self.labels == 1]})
        about = {"names": names, "labels": self.labels.tolist(), "kinds": self.kinds.tolist(), "scores": list(scores)}
        about |= {
            "classes": list(figures.CLASSES),
            "rates": known.tolist(),
            "bad_kinds": self._bad_kinds,
        }
        self._rows = self._work_out()
        super().__init__(
            about=about,
            tables={name: np.ascontiguousarray(rows).tobytes() for name, rows in self._rows.items()},
            thumbnails=_thumbnails(self.images),
            lam=round(detector.lam, 2),
            score=detector.score,
            false_alarm_rate=float(known[np.argmin(np.abs(known - detector.false_alarm_rate))]),
        )

    def _work_out(self) -> dict[str, np.ndarray]:
        """Every figure for S scores, L lambdas, F rates, N images, K kinds, m normal images.

        Returns:
            "scores" (S, L, N), "thresholds" (S, L, F), "auroc" (S, L), "hit_rates" (S, L, F, K) float32; "counts"
            (S, L, F, 4), in the order of COUNTS, and "roc" (S, L, m + 1), hits at 0 ... m false alarms, int32.
        """
        shape = (len(self._scores), len(LAMS))
        bad = self.labels == 1
        shares = np.stack([bad & (self.kinds == kind) for kind in self._bad_kinds]).astype(float)
        shares /= shares.sum(axis=1, keepdims=True)  # (K, N): what each image adds to the hit rate of its kind
        rows = {
            "scores": np.zeros((*shape, len(bad)), "float32"),
            "thresholds": np.zeros((*shape, len(self.rates)), "float32"),
            "auroc": np.zeros(shape, "float32"),
            "hit_rates": np.zeros((*shape, len(self.rates), len(self._bad_kinds)), "float32"),
            "counts": np.zeros((*shape, len(self.rates), 4), "int32"),
            "roc": np.zeros((*shape, int((~bad).sum()) + 1), "int32"),
        }
        for s, score in enumerate(self._scores):
            for i, lam in enumerate(LAMS):
                scores = scoring.combine(self.losses, lam, score, self.detector.spreads)
                normal = scoring.combine(self.detector.calibration, lam, score, self.detector.spreads)
                rows["scores"][s, i], rows["auroc"][s, i] = scores, metrics.auroc(self.labels, scores)
                rows["roc"][s, i] = _roc(scores, bad)
                for f, rate in enumerate(self.rates):
                    threshold = thresholds.conformal(normal, rate)
                    verdicts = threshold.verdicts(scores)
                    rows["thresholds"][s, i, f] = threshold.value
                    counts = metrics.confusion(self.labels, verdicts)
                    rows["counts"][s, i, f] = [counts[name] for name in COUNTS]
                    rows["hit_rates"][s, i, f] = shares @ verdicts
        return rows

    # ---- the state

    @tr.validate("lam", "score", "false_alarm_rate", "selected")
    def _known(self, proposal):
        name, value = proposal.trait.name, proposal.value
        if name == "lam":
            return round(scoring.check_lam(value), 2)
        if name == "score" and value not in self._scores:
            raise ValueError(f"The score is one of {', '.join(self._scores)} here. Received: {value!r}.")
        if name == "false_alarm_rate" and not np.any(np.isclose(self.rates, value)):
            raise ValueError(f"The rate is one of {', '.join(map(number, self.rates))}. Received: {value}.")
        if name == "selected" and not 0 <= value < len(self.labels):
            raise ValueError(f"selected is 0 to {len(self.labels) - 1}. Received: {value}.")
        return value

    @property
    def _place(self) -> tuple[int, int, int]:
        rate = int(np.argmin(np.abs(self.rates - self.false_alarm_rate)))
        return self._scores.index(self.score), round(100 * self.lam), rate

    @property
    def scores(self) -> np.ndarray:
        """A(x) of all images at this lambda, (N,)."""
        return self._rows["scores"][self._place[:2]]

    @property
    def ranking(self) -> np.ndarray:
        """Places of the images, the highest score first, (N,)."""
        return np.argsort(-self.scores, kind="stable")

    @property
    def outcome(self) -> dict:
        """Threshold, AUROC, the four counts and the hit rate of each kind, under the present settings."""
        s, i, f = self._place
        counts = dict(zip(COUNTS, self._rows["counts"][s, i, f].tolist(), strict=True))
        hits = dict(zip(self._bad_kinds, self._rows["hit_rates"][s, i, f].tolist(), strict=True))
        value, auroc = float(self._rows["thresholds"][s, i, f]), float(self._rows["auroc"][s, i])
        return {"threshold": value, "auroc": auroc, "hit_rate_by_kind": hits} | counts

    def _describe(self) -> str:
        now = self.outcome
        return SENTENCE.format(
            **{name: now[name] for name in COUNTS},
            lam=number(self.lam),
            score=self.score,
            rate=number(100 * self.false_alarm_rate),
            threshold=number(now["threshold"]),
            auroc=f"{now['auroc']:.3f}",
            anomalous=int(self.labels.sum()),
            normal=int((1 - self.labels).sum()),
            name=self.about["names"][self.selected],
            kind=self.kinds[self.selected],
            rank=int(np.flatnonzero(self.ranking == self.selected)[0]) + 1,
            own=number(self.scores[self.selected]),
        )

    def _about(self) -> str:
        return f"{len(self.labels)} images"

    # ---- what needs the kernel

    @property
    def stepper(self):
        return self._stepper

    @stepper.setter
    def stepper(self, stepper) -> None:
        if stepper is not None and len(stepper.images) != len(self.images):
            raise ValueError(
                f"The stepper must hold these {len(self.images)} images. Received: one of {len(stepper.images)}."
            )
        self._stepper, self.linked = stepper, stepper is not None

    def open_selected(self) -> None:
        """Show the selected image in the stepper."""
        if self._stepper is None:
            raise ValueError(
                "There is no stepper to open it in: explorer.stepper = InversionStepper(detector, images)."
            )
        self._stepper.index = self.selected

    def search_anew(self, steps: int = 20) -> dict:
        """Search all images at this lambda, beside the detector's own search of as many steps, re-weighted to it."""
        options = {"steps": steps, "score": self.score}
        own = self.detector.lam if self.score == self.detector.score else scoring.DEFAULT_LAM[self.score]
        found = self.detector.invert(self.images, lam=self.lam, **options).scores(self.lam, self.score)
        once = self.detector.invert(self.images, lam=own, **options).scores(self.lam, self.score)
        self.anew = {
            "lam": self.lam,
            "own_lam": own,
            "score": self.score,
            "steps": steps,
            "scores": found.astype(float).tolist(),
            "reweighted": once.astype(float).tolist(),
            "auroc": metrics.auroc(self.labels, found),
            "auroc_reweighted": metrics.auroc(self.labels, once),
        }
        return self.anew

    def still(self):
        """Both distributions with the threshold, and the ROC curve, as a matplotlib Figure."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        threshold = self.outcome["threshold"]
        figures.score_distributions(self.scores, self.labels, threshold, ax=left)
        figures.roc_curve(self.scores, self.labels, threshold, ax=right)
        figure.suptitle(
            f"lambda {number(self.lam)}, {self.score}, {number(100 * self.false_alarm_rate)} % false alarms"
        )
        return figure


def _roc(scores: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """How many anomalous images are found where k of the m normal ones may be called anomalous: (m + 1,)."""
    cuts = np.append(np.sort(scores[~bad])[::-1], -np.inf)  # above cuts[k] lie k normal images
    ranked = np.sort(scores[bad])
    return len(ranked) - np.searchsorted(ranked, cuts, side="right")


def _thumbnails(images: np.ndarray) -> dict:
    """All images as one sheet of small ones."""
    shrink = min(1.0, THUMBNAIL / max(images.shape[1:3]))
    size = [max(1, round(side * shrink)) for side in images.shape[1:3]]
    return sheet(resized(np.stack([figures.rgb(image) for image in images]), *size), quality=80)
