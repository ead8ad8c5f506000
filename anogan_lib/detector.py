"""AnoGAN: the detector. A DCGAN, the search for z, a score, a threshold.

Schlegl et al. 2017 (arXiv 1703.05921); with an encoder, f-AnoGAN (Schlegl et al. 2019).
"""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from anogan_lib import baselines, figures, inversion, keeping, localisation, metrics, scoring, thresholds, usual
from anogan_lib.datasets.base import AnomalyDataset, as_array, check_fit, iterate_batches, labelled
from anogan_lib.dcgan import DCGAN
from anogan_lib.descent import check_precision
from anogan_lib.encoder import train_encoder
from anogan_lib.networks import feature_extractor


@dataclass(frozen=True)
class Prediction:
    """What the detector says of N images.

    Attributes:
        scores: A(x), (N,).
        p_values: share of calibration images that score at least as high, (N,) in (0, 1].
        verdicts: True where anomalous, (N,).
        maps: where, (N, H, W); higher is more anomalous, on one scale for all images.
        residual, discrimination: R(x) and D(x) as raw sums, (N,).
        reconstruction: G(z), (N, H, W, C).
        losses: every loss by name, (N,) each: for another lambda or score without a new search.
    """

    scores: np.ndarray
    p_values: np.ndarray
    verdicts: np.ndarray
    maps: np.ndarray
    residual: np.ndarray
    discrimination: np.ndarray
    reconstruction: np.ndarray
    losses: dict[str, np.ndarray]


class AnoGAN:
    """Tells how anomalous an image is, and where, from a DCGAN that knows normal images only.

    >>> detector = AnoGAN(gan).fit(data)
    >>> detector.predict(data.test).verdicts
    >>> detector.evaluate(data.test).auroc

    Args:
        gan: a trained DCGAN.
        lam: lambda, the weight of D against R, 0 to 1; None for the score's own (0.1 for "paper", else 0.5).
        score: "paper" (raw sums), "standardised" (R and D in spreads of normal images) or "best".
        steps: steps of the search; None for the encoder alone where there is one, and 100 from a random start.
        feature_layer: which block of the discriminator is f: 1 nearest the image, -1 the deepest.
        seed: of the random starts.
        region: (H, W) bool, True where an anomaly matters; None for the whole image. Elsewhere every image, and every
            G(z), is replaced by the generator's mean image: what lies there has no part in z, score or map.
        precision: of the search's steps, "float32" or "bfloat16"; see `inversion.invert`.

    Attributes:
        gan: the DCGAN, as it was handed over.
        generator: the G that z is searched in: the DCGAN's own, or the copy of it that learned along with the encoder.
        usual: what normal images' differences from their G(z) have in common, by loss: score="best" looks past it. None
            where there is no encoder.
    """

    def __init__(
        self,
        gan: DCGAN,
        lam: float | None = None,
        score: str = "best",
        steps: int | None = None,
        feature_layer: int = -1,
        seed: int = 0,
        region: np.ndarray | None = None,
        precision: str = "float32",
    ):
        self.seed, self.feature_layer = int(seed), int(feature_layer)
        self.score = score
        self.lam = scoring.DEFAULT_LAM[self.score] if lam is None else lam
        self.region = None if region is None else localisation.check_region(region, gan.image_shape)
        self.gan = gan
        self.near, self.features = (feature_extractor(gan.discriminator, layer) for layer in (1, self.feature_layer))
        self.steps, self.precision = steps, check_precision(precision)
        self.use(gan.generator)
        self.spreads: scoring.Standardisation | None = None
        self.aim: tuple[str, float] | None = None  # the score and lambda whose R and D the search weighs, once fixed
        self.map_scale = 1.0  # the value at which overlays saturate: 99.9 % of normal pixels lie below
        self.false_alarm_rate = 0.05
        self.calibration: dict[str, np.ndarray] | None = None  # losses and map peaks of the calibration images
        self.card: dict = {}  # what was written of a saved detector: data, command, results

    def use(self, generator: keras.Model, encoder: keras.Model | None = None):
        """Search z in this G, from what this E says, from now on."""
        self.generator, self.encoder = generator, encoder
        self.usual: dict[str, usual.Usual] | None = None
        mean = None if self.region is None else self.gan.sample(256).mean(axis=0)  # (H, W, C)
        self.search = inversion.LatentSearch(generator, self.features, self.gan.prior, self.region, mean, self.near)

    @property
    def score(self) -> str:
        return self._score

    @score.setter
    def score(self, score: str):
        self._score = scoring.check_score(score)

    @property
    def lam(self) -> float:
        return self._lam

    @lam.setter
    def lam(self, lam: float):
        self._lam = scoring.check_lam(lam)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.gan.image_shape

    # ---- fitting

    def fit(self, data: AnomalyDataset, false_alarm_rate: float = 0.05, encoder: bool = True, verbose: bool = True):
        """Encoder on the training images, spreads on the validation images, threshold on the calibration images."""
        if not int(self.gan.steps_done):
            raise ValueError("The DCGAN has not been trained: gan.train(data.train, epochs=...) comes before fit.")
        if encoder:
            self.fit_encoder(data.train, verbose=verbose)
        self.standardise(data.validation)
        return self.calibrate(data.calibration, false_alarm_rate)

    def fit_encoder(self, images, **options):
        """Train E on normal images (N, H, W, C), and a copy of G with it; options as in `train_encoder`.

        What the differences of these images from their G(E(x)) have in common goes into `usual`.
        """
        encoder, generator, self.encoder_losses = train_encoder(self.gan, images, **options)
        self.use(generator, encoder)
        self.spreads = self.calibration = None  # made with another way to z
        self.card = {}
        some = usual.examples(images, self.seed, self.gan.flips, self.image_shape, self.near.output_shape[1:])
        self.usual = {name: usual.Usual.of(each, self.seed) for name, each in self._differences(some, steps=0).items()}
        return self

    def _differences(self, images, **options) -> dict[str, np.ndarray]:
        """What score="best" compares, by loss, (N, ...) each; see `scoring.local_differences`."""
        found = self.invert(images, **options)
        pairs = zip(*(iterate_batches(each, 64) for each in (found.images, found.reconstruction)), strict=True)
        blocks_of = self.search.blocks_of
        # Each kind's parts are let go as soon as they are joined: at most one kind is held twice.
        parts = [scoring.local_differences(x, y, blocks_of(x), blocks_of(y)) for x, y in pairs]
        return {name: np.concatenate([part.pop(name) for part in parts]) for name in list(parts[0])}

    def standardise(self, images):
        """Take the spreads of R and D from normal images that trained nothing: the validation images.

        Before that, with an encoder, how far score="best" looks past what is usual: so far that these images stand out
        most where a patch of another one has been pasted in.
        """
        images, self.spreads, self.calibration = as_array(images), None, None
        self.aim = (self.score, self.lam)
        if self.usual:
            wanted = len(images) if self.usual_steps else usual.PATCHED
            self.usual = usual.chosen(self.usual, images, self._differences, scoring.most_different, self.seed, wanted)
        found = self.invert(images)
        self.spreads = scoring.Standardisation.of(found.losses)
        if self._search_options()["steps"]:
            # What the search weighs R and D by are these very spreads, so it is made once more with them.
            found = self.invert(images)
            self.spreads = scoring.Standardisation.of(found.losses)
        self.map_scale = figures.common_scale(self._maps(found))
        return self

    def calibrate(self, images, false_alarm_rate: float = 0.05):
        """Set the threshold from normal images that served for nothing else.

        The threshold is the split-conformal quantile: on new normal images the rate of false alarms is at most
        `false_alarm_rate` on average.
        """
        self.aim = self.aim or (self.score, self.lam)
        found = self.invert(images)
        thresholds.conformal(found.scores(), false_alarm_rate)  # refuses what n images cannot promise
        peaks = {"map_peak": found.maps(), "local_map_peak": found.local_maps()}
        self.calibration = found.losses | {name: maps.max(axis=(1, 2)) for name, maps in peaks.items()}
        self.false_alarm_rate = float(false_alarm_rate)
        return self

    @property
    def calibration_scores(self) -> np.ndarray:
        """A(x) of the calibration images under the present lambda and score, (n,)."""
        if self.calibration is None:
            raise ValueError("The detector has no threshold yet: call detector.calibrate(data.calibration) first.")
        return scoring.combine(self.calibration, self.lam, self.score, self.spreads)

    def conformal(self) -> thresholds.Threshold:
        """The threshold, with how it was set."""
        return thresholds.conformal(self.calibration_scores, self.false_alarm_rate)

    @property
    def threshold(self) -> float:
        """A(x) above this is anomalous; follows lambda, score and false-alarm rate."""
        return self.conformal().value

    def pixel_conformal(self, false_alarm_rate: float | None = None) -> thresholds.Threshold:
        """A threshold on the maps' pixels: at most this share of new normal images has any pixel above it.

        It is the split-conformal quantile of each calibration image's highest pixel. None for the detector's rate.
        """
        peaks = (self.calibration or {}).get("local_map_peak" if self.score == "best" else "map_peak")
        if peaks is None:
            raise ValueError("The detector has no pixel threshold: call detector.calibrate(data.calibration) first.")
        rate = self.false_alarm_rate if false_alarm_rate is None else false_alarm_rate
        return thresholds.conformal(peaks, rate)

    @property
    def pixel_threshold(self) -> float:
        """A map's pixel above this is anomalous; `localisation.regions(map, detector.pixel_threshold)` finds where."""
        return self.pixel_conformal().value

    def drift(self, scores: np.ndarray) -> tuple[float, str]:
        """Do the scores of new images, as a whole, still look like the calibration images'? See `thresholds.drift`."""
        return thresholds.drift(self.calibration_scores, scores)

    def _maps(self, found: inversion.Inversion) -> np.ndarray:
        """The anomaly maps that go with the score, (N, H, W)."""
        return found.local_maps() if self.score == "best" else found.maps()

    # ---- using

    def invert(
        self,
        images,
        steps: int | None = None,
        restarts: int = 1,
        init: str | None = None,
        lam: float | None = None,
        score: str | None = None,
        **options,
    ) -> inversion.Inversion:
        """Search z for every image; needs no calibration.

        Args:
            images: (N, H, W, C) in [-1, 1]; an array, a split or a tf.data.Dataset.
            steps: None for the detector's.
            restarts: how many starts; the best of them is kept, image by image.
            init: "random" or "encoder"; None for the encoder where there is one.
            lam: weight of D in what the search minimises and in the scores; None for the detector's.
            score: whose losses the search minimises, and the Inversion's default score; None for the detector's.
            options: as in `inversion.invert`; `**inversion.PAPER` is the search in the paper's own form.
        """
        options = self._search_options(steps, init, lam, score) | options
        return inversion.invert(self.search, self._checked(images), restarts=restarts, **options)

    @property
    def usual_steps(self) -> int:
        """Steps of the search, left to itself: 0 where the encoder's z is taken as it is."""
        return self._search_options()["steps"]

    def _search_options(self, steps=None, init=None, lam=None, score=None) -> dict:
        """What `inversion.invert` is to be told: the detector's settings wherever the caller names none."""
        if lam is None and score is None:
            # The detector's lambda and score may have been set anew since it was standardised: they re-weigh what is
            # found, but the search stays the one that the calibration images went through.
            lam, score = self.lam, self.score
            aim_score, aim_lam = self.aim or (score, lam)
        else:
            score = self.score if score is None else scoring.check_score(score)
            if lam is None:
                lam = self.lam if score == self.score else scoring.DEFAULT_LAM[score]
            aim_score, aim_lam = score, scoring.check_lam(lam)
        init = init or ("encoder" if self.encoder is not None else "random")
        if steps is None:
            steps = self.steps if self.steps is not None else (0 if init == "encoder" else inversion.STEPS)
        known = self.spreads is not None and aim_score != "paper"
        widths = [self.spreads.spreads[name][1] if known else 1.0 for name in scoring.LOSSES["paper"]]
        return {
            "steps": steps,
            "init": init,
            "encoder": self.encoder,
            "weights": ((1.0 - aim_lam) / widths[0], aim_lam / widths[1]),
            "lam": lam,
            "score": score,
            "spreads": self.spreads,
            "usual": self.usual,
            "seed": self.seed,
            "precision": self.precision,
        }

    def _checked(self, images):
        """The images, after a look at the first one's shape."""
        if isinstance(images, AnomalyDataset):
            raise ValueError("A data set holds several splits: name one, for example data.test.")
        check_fit("detector", self.image_shape, next(iterate_batches(images, 1)).shape[1:])
        return images

    def predict(self, images, **options) -> Prediction:
        """Scores, p-values, verdicts and maps of N images. Needs calibration.

        Options as in `invert`, but for lam and score: a verdict compares with calibration scores of the same kind, so
        these are the detector's own, `detector.lam` and `detector.score`.
        """
        if refused := options.keys() & {"lam", "score"}:
            name = min(refused)
            raise ValueError(
                f"Verdicts follow the detector's own {name}: set detector.{name} = {options[name]!r} first, or take "
                f"detector.invert(images).scores({name}={options[name]!r}), which re-weighs without a verdict."
            )
        self.conformal()  # says what is missing before the search is made
        return self.judge(self.invert(images, **options))

    def judge(self, found: inversion.Inversion) -> Prediction:
        """Scores, p-values, verdicts and maps of what a search found."""
        scores = found.scores(self.lam, self.score)
        return Prediction(
            scores=scores,
            p_values=thresholds.p_values(self.calibration_scores, scores),
            verdicts=scores > self.threshold,
            maps=self._maps(found),
            residual=found.residual,
            discrimination=found.discrimination,
            reconstruction=found.reconstruction,
            losses=found.losses,
        )

    def evaluate(self, data, prediction: Prediction | None = None, **options) -> metrics.Evaluation:
        """How well the detector does on labelled images, beside nearest neighbours and PCA on the same pixels.

        Args:
            data: a test split, an AnomalyDataset (its test split is taken) or a tf.data.Dataset of (image, label).
            prediction: what `predict` said of these very images; None to search now.
            options: as in `predict`.
        """
        split = labelled(data)
        prediction = prediction or self.predict(split, **options)
        train = split.reference
        return metrics.evaluate_scores(
            prediction.scores,
            split.labels,
            self.conformal(),
            kinds=split.kinds,
            maps=prediction.maps,
            masks=split.masks,
            names=split.names,
            p_values=prediction.p_values,
            residual=prediction.residual,
            discrimination=prediction.discrimination,
            baselines=None if train is None else baselines.compare(train.images, split.images, split.labels),
        )

    # ---- as the two earlier systems have it

    def test(self, dataset, results_dir="results"):
        """Score labelled images one by one, with a picture each: (results, threshold, accuracy).

        Returns:
            [{"anomaly_score": float, "label": int}, ...], the calibrated threshold, and the share judged right.
        """
        split = labelled(dataset)
        found = self.predict(split)
        pairs = zip(found.scores, split.labels, strict=True)
        results = [{"anomaly_score": float(score), "label": int(label)} for score, label in pairs]
        folder = Path(results_dir)
        folder.mkdir(parents=True, exist_ok=True)
        scale = {"vmax": self.map_scale, "threshold": self.threshold}
        for i, image in enumerate(split.images):
            about = (found.reconstruction[i], found.maps[i], float(found.scores[i]))
            figures.comparison(image, *about, **scale).savefig(folder / f"{i:04d}.png")
        return results, self.threshold, float(np.mean(found.verdicts == (split.labels == 1)))

    def compute_anomaly_score(self, image, **options):
        """A(x) of one image (H, W, C) or (1, H, W, C), and the similar image G(z), (H, W, C)."""
        image = np.asarray(getattr(image, "images", image), "float32")
        found = self.invert(image[None] if image.ndim == 3 else image, **options)
        if len(found) != 1:
            raise ValueError(f"compute_anomaly_score takes one image; predict takes many. Received: {len(found)}")
        return float(found.scores()[0]), found.reconstruction[0]

    # ---- keeping

    def save(self, folder, card: dict | None = None) -> None:
        """Write the detector into `folder`: its networks as .keras, detector.json, calibration.npz.

        Args:
            card: what is to be known of it (data, command, results ...), written to card.json.
        """
        keeping.write(self, Path(folder), card)

    @classmethod
    def load(cls, folder, **settings) -> "AnoGAN":
        """A detector from what `save` wrote; `lam`, `score` and `steps` may be set anew."""
        return keeping.read(cls, Path(folder), {name: value for name, value in settings.items() if value is not None})
