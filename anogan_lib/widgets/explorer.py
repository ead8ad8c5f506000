"""Lambda and the false-alarm rate, over all test images at once."""

import itertools

import numpy as np
import traitlets as tr
from PIL import Image

from anogan_lib import pictures
from anogan_lib.checks import one_of, whole
from anogan_lib.datasets.base import labelled
from anogan_lib.datasets.images import resize_all
from anogan_lib.evaluation import metrics
from anogan_lib.paper.score import check_lam
from anogan_lib.widgets.base import View, check_same, image_names, number, script, sheet

LAMS = np.round(np.linspace(0, 1, 101), 2)
RATES = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
THUMBNAIL = 48  # pixels: no tile of the gallery is larger
BINS = 40  # of both histograms
COUNTS = ("true_normal", "false_alarm", "missed", "hit")  # in the order of 2 * label + verdict
SENTENCE = (
    "Lambda {lam}, {score} score, {rate} % false alarms asked for: threshold {threshold}. {hit} of {anomalous} "
    "anomalous images found, {false_alarm} of {normal} normal ones called anomalous. AUROC {auroc}. "
    "Selected: {name}, rank {rank}, score {own}."
)


class LambdaExplorer(View):
    """Show what lambda and the threshold do to scores, ROC, counts, hit rates and the ranking of all test images.

    Python computes everything for 101 lambdas, all scores and all false-alarm rates. The browser looks it up and needs
    no kernel. Lambda re-weighs the losses of one search; `search_again` searches with the new lambda.

    >>> explorer = LambdaExplorer(detector, data.test)
    >>> explorer.lam = 0.3
    >>> explorer.outcome["hit"], explorer.ranking[:5]

    Args:
        detector: a calibrated AnoGAN.
        data: labelled images: a test split, a data set, or a tf.data.Dataset of (image, label).
        prediction: what `detector.predict` or `detector.invert` found for these very images; None to search now.

    Attributes:
        lam: lambda, 0 to 1 in steps of 0.01.
        score: the name of a score that can be computed from these losses, such as "paper" or "best".
        false_alarm_rate: one of RATES that the calibration images can promise.
        selected: the index of the image chosen in the gallery; `ipywidgets.link((explorer, "selected"), (stepper,
            "index"))` opens it in an InversionStepper of the same images.
        searched: what `search_again` returned: "lam", "own_lam", "score", "steps", "auroc", "auroc_reweighted", and
            for each image "scores" and "reweighted".
    """

    _esm = script("explorer.js")
    _label = tr.Unicode("Lambda and threshold explorer").tag(sync=True)
    _sentence = tr.Unicode(SENTENCE).tag(sync=True)
    _follows = ("lam", "score", "false_alarm_rate", "selected")
    _actions = ("search_again",)

    lam = tr.Float(0.5).tag(sync=True)
    score = tr.Unicode("paper").tag(sync=True)
    false_alarm_rate = tr.Float(0.05).tag(sync=True)
    selected = tr.Int(0).tag(sync=True)
    searched = tr.Dict().tag(sync=True)
    about = tr.Dict(help="names, labels and kinds; scores, lambdas and rates to choose from").tag(sync=True)
    tables = tr.Dict(help="for score x lambda (x rate): what the browser looks up").tag(sync=True)
    thumbnails = tr.Dict().tag(sync=True)

    def __init__(self, detector, data, prediction=None):
        split = labelled(data)
        self.detector, self.images, self.labels = detector, split.images, split.labels
        if not 0 < self.labels.sum() < len(self.labels):
            raise ValueError("The explorer compares normal with anomalous images: give at least one of each.")
        len(detector.calibration_scores)  # raises where the detector is not calibrated
        rates = [rate for rate in RATES if rate >= detector.calibration.lowest_rate - 1e-12]
        kinds = np.asarray(pictures.CLASSES)[self.labels] if split.kinds is None else split.kinds
        self.losses = (prediction or detector.invert(split)).losses
        check_same("prediction", split, self.losses["residual"])
        calibrated = detector.scores.names_for(detector.calibration)
        scores = [name for name in detector.scores.names_for(self.losses) if name in calibrated]
        about = {
            "names": image_names(split, kinds),
            "labels": self.labels.tolist(),
            "kinds": kinds.tolist(),
            "classes": list(pictures.CLASSES),
            "bad_kinds": np.unique(kinds[self.labels == 1]).tolist(),
            "scores": scores,
            "lams": LAMS.tolist(),
            "rates": rates,
            "bins": BINS,
        }
        self._rows = self._compute(about)
        size, tiles = split.image_shape[:2], np.stack([pictures.rgb(image) for image in self.images])
        small = tuple(max(1, round(side * min(1, THUMBNAIL / max(size)))) for side in size)
        super().__init__(
            about=about,
            tables={name: rows.tobytes() for name, rows in self._rows.items()},
            thumbnails=sheet(resize_all(tiles, small, Image.Resampling.BOX), quality=80),
            lam=round(detector.lam, 2),
            score=detector.score if detector.score in scores else scores[0],
            false_alarm_rate=min(rates, key=lambda rate: abs(rate - detector.false_alarm_rate)),
        )

    def _compute(self, about: dict) -> dict[str, np.ndarray]:
        """Compute all that can be shown, for S scores, L lambdas, F rates, N images, K kinds of anomaly.

        Returns:
            "scores" (S, L, N), "thresholds" (S, L, F), "auroc" (S, L), "hit_rates" (S, L, F, K) float32; "counts"
            (S, L, F, 4), in the order of COUNTS, int32.
        """
        kinds = np.where(self.labels == 1, about["kinds"], "")
        shares = np.stack([kinds == kind for kind in about["bad_kinds"]], axis=1).astype(float)
        shares /= shares.sum(axis=0)  # (N, K): what each image adds to the hit rate of its kind
        rows = []
        for score, lam in itertools.product(about["scores"], LAMS):
            scores = self.detector.combine(self.losses, lam, score)
            normal = self.detector.combine(self.detector.calibration, lam, score)
            cuts = [self.detector.calibration.threshold(normal, rate) for rate in about["rates"]]
            verdicts = np.stack([cut.verdicts(scores) for cut in cuts])  # (F, N)
            counts = [np.bincount(2 * self.labels + each, minlength=4) for each in verdicts]
            found = {"scores": scores, "thresholds": cuts, "auroc": metrics.auroc(self.labels, scores)}
            rows.append(found | {"hit_rates": verdicts @ shares, "counts": counts})
        tables = {}
        for name in rows[0]:
            table = np.array([row[name] for row in rows], "int32" if name == "counts" else "float32")
            tables[name] = table.reshape(len(about["scores"]), len(LAMS), *table.shape[1:])
        return tables

    # ---- the state

    @tr.validate("lam", "score", "false_alarm_rate", "selected")
    def _known(self, proposal):
        name, value = proposal.trait.name, proposal.value
        if name == "lam":
            return round(check_lam(value), 2)
        if name == "selected":
            return whole(name, value, 0, len(self.labels) - 1)
        choices = self.about["scores" if name == "score" else "rates"]
        return one_of(name, value if name == "score" else round(value, 9), choices)

    @property
    def _place(self) -> tuple[int, int, int]:
        """The present score, lambda and rate as indices of the tables."""
        s, f = self.about["scores"].index(self.score), self.about["rates"].index(self.false_alarm_rate)
        return s, round(self.lam * (len(LAMS) - 1)), f

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
        place = self._place
        hits = dict(zip(self.about["bad_kinds"], self._rows["hit_rates"][place].tolist(), strict=True))
        counts = dict(zip(COUNTS, self._rows["counts"][place].tolist(), strict=True))
        figures = {"threshold": float(self._rows["thresholds"][place]), "auroc": float(self._rows["auroc"][place[:2]])}
        return figures | {"hit_rate_by_kind": hits} | counts

    def _describe(self) -> str:
        now, i = self.outcome, self.selected
        values = {"lam": number(self.lam), "score": self.score, "rate": number(100 * self.false_alarm_rate)}
        values |= now | {"threshold": number(now["threshold"]), "auroc": f"{now['auroc']:.3f}"}
        values |= {"anomalous": now["hit"] + now["missed"], "normal": now["true_normal"] + now["false_alarm"]}
        values |= {"name": self.about["names"][i], "own": number(self.scores[i])}
        return SENTENCE.format(**values, rank=self.ranking.tolist().index(i) + 1)

    # ---- what needs the kernel

    def search_again(self, steps: int = 20) -> dict:
        """Search all images with this lambda, and with the score's own, re-weighed to this one; return `searched`."""
        options = {"steps": steps, "score": self.score}
        both = [self.detector.invert(self.images, lam=lam, **options) for lam in (self.lam, None)]
        found, reweighted = (each.scores(self.lam, self.score) for each in both)
        self.searched = options | {
            "lam": self.lam,
            "own_lam": both[1].lam,
            "scores": found.tolist(),
            "reweighted": reweighted.tolist(),
            "auroc": metrics.auroc(self.labels, found),
            "auroc_reweighted": metrics.auroc(self.labels, reweighted),
        }
        return self.searched

    def still(self):
        """Draw both distributions with the threshold, the ROC curve and AUROC over lambda, as a matplotlib Figure."""
        figure = pictures.new_figure(12, 3.4)
        left, middle, right = figure.subplots(1, 3, width_ratios=(4, 3, 4))
        threshold, aurocs = self.outcome["threshold"], self._rows["auroc"][self._place[0]]
        pictures.score_distributions(self.scores, self.labels, threshold, ax=left, bins=BINS)
        pictures.roc_curve(self.scores, self.labels, threshold, ax=middle)
        pictures.lambda_curve(LAMS[::5], {"re-weighted": aurocs[::5]}, self.lam, ax=right)
        rate = number(100 * self.false_alarm_rate)
        figure.suptitle(f"lambda {number(self.lam)}, {self.score} score, {rate} % false alarms asked for")
        return figure
