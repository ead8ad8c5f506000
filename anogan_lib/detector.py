"""AnoGAN: the detector. It joins a DCGAN, a way to z, a score and a threshold.

| recipe | way to z | score |
|---|---|---|
| paper | search from a random start | raw sums R and D, lambda 0.1 (Schlegl et al. 2017) |
| f-anogan | encoder, G frozen | A_R + kappa A_D of mean squares (Schlegl et al. 2019) |
| best | encoder trained with patches, G adapted | the places that differ most, background filtered out |
"""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from anogan_lib import saving, scores
from anogan_lib.checks import check_seed, flag, one_of, whole
from anogan_lib.datasets.base import AnomalyDataset, Split, as_split, check_fit, labelled, normal_split
from anogan_lib.evaluation import baselines, regions, thresholds
from anogan_lib.evaluation.calibration import AT_ONCE, LOOKED, Calibration, Parts, Prediction, look_at
from anogan_lib.evaluation.evaluation import Evaluation
from anogan_lib.fast.encoder import train_encoder
from anogan_lib.fast.ways import MOST_STEPS, PACES, Ways
from anogan_lib.paper.dcgan import DCGAN
from anogan_lib.paper.networks import feature_extractor
from anogan_lib.paper.score import check_lam
from anogan_lib.paper.search import Inversion
from anogan_lib.pictures.images import common_scale, comparison
from anogan_lib.scores import background
from anogan_lib.scores.scorer import ScoredInversion, Scorer
from anogan_lib.training.reproducible import unnamed

RECIPES = {  # score, start of the way to z, and whether the encoder is trained with patches and an adapted G
    "paper": ("paper", "random", False),
    "f-anogan": ("f-anogan", "encoder", False),
    "best": ("best", "encoder", True),
}


class AnoGAN:
    """An anomaly detector made from a DCGAN that knows normal images only.

    >>> detector = AnoGAN(gan).fit(data)
    >>> detector.predict(data.test).verdicts
    >>> detector.evaluate(data).auroc

    Args:
        gan: a trained DCGAN.
        recipe: "paper", "f-anogan" or "best". Each part of a recipe can be named by itself:
        lam: lambda, the weight of D against R, 0 to 1; None for the score's own.
        score: "paper", "standardised", "f-anogan" or "best".
        init: where the way to z starts, "random" or "encoder".
        steps: of the search from there.
        feature_layer: block of the discriminator that is f: 1 nearest the image, -1 the deepest.
        seed: of the random starts.
        region: (H, W) bool, True where an anomaly matters; None for the whole image. Elsewhere x and G(z) are replaced
            by the generator's mean image, and have no part in z, score or map.

    Attributes:
        score, lam: may be set at any time. The losses are then weighed again; z stays what the search finds for the
            lambda and score that the detector was made or standardised with. `invert(lam=...)` searches again.
        generator: the G that z is searched in: the DCGAN's own, or the copy that learned along with the encoder.
        encoder: E, or None. encoder_history, encoder_losses: of its training, see `train_encoder`.
        scores: the score objects, scores["best"] by name.
        calibration: losses and highest map values of the calibration images, a `Calibration`; None before `calibrate`.
        false_alarm_rate: the rate that the thresholds promise; may be set at any time.
        map_scale: the map value at which overlays saturate, above 99.9 % of normal pixels; 1 before `standardise`.
        split_digests: {"train": {name: digest}, ...} of the images that it has learned from.
        value_range: what becomes -1 and 1 in files with more than 8 bits a channel, as in the training images, or None.
        card: what is known of a saved detector: data, command, results.
    """

    def __init__(
        self,
        gan: DCGAN,
        recipe: str = "paper",
        *,
        lam: float | None = None,
        score: str | None = None,
        init: str | None = None,
        steps: int | None = None,
        feature_layer: int = -1,
        seed: int = 0,
        region: np.ndarray | None = None,
    ):
        own_score, own_init, _ = RECIPES[one_of("The recipe", recipe, RECIPES)]
        self.gan, self.recipe, self.seed, self.feature_layer = gan, recipe, check_seed(seed), feature_layer
        self.score = own_score if score is None else score
        self.lam = scores.default_lam(self.score) if lam is None else lam
        self.init = own_init if init is None else one_of("init", init, PACES)
        self.steps = PACES[self.init].steps if steps is None else whole("steps", steps, 0, MOST_STEPS)
        self.region = None if region is None else regions.check_region(region, gan.image_shape)
        self.features = feature_extractor(gan.discriminator, self.feature_layer)
        self.split_digests: dict[str, dict[str, str]] = {}
        self.encoder_history: dict = {}
        self.map_scales, self.false_alarm_rate, self.value_range = {}, 0.05, None
        self.adopt(gan.averaged)

    def adopt(self, generator: keras.Model, encoder: keras.Model | None = None) -> None:
        """Search z in this G, and start from this E. What was learned with other networks is forgotten."""
        self.generator, self.encoder = generator, encoder
        elsewhere = None if self.region is None else self.gan.sample(256).mean(axis=0)  # (H, W, C)
        self.ways = Ways(generator, self.features, self.gan.prior, encoder, self.region, elsewhere)
        self.scores = Scorer(self.gan.discriminator, self.features)
        self.weights = self.scores["paper"].weights(self.lam)  # of R and D in what the search minimises
        self.calibration: Calibration | None = None
        self.card: dict = {}

    def __repr__(self) -> str:
        score, init, _ = RECIPES[self.recipe]
        own = {"score": score, "lam": scores.default_lam(self.score), "init": init, "steps": PACES[self.init].steps}
        parts = [f"{name}={getattr(self, name)!r}" for name, value in own.items() if getattr(self, name) != value]
        return f"AnoGAN({', '.join(['x'.join(map(str, self.image_shape)), f'recipe={self.recipe!r}', *parts])})"

    score = property(lambda self: self._score)

    @score.setter
    def score(self, score: str):
        self._score = scores.check_score(score)

    lam = property(lambda self: self._lam)

    @lam.setter
    def lam(self, lam: float):
        self._lam = check_lam(lam)

    encoder_losses = property(lambda self: self.encoder_history.get("loss", []))
    image_shape = property(lambda self: self.gan.image_shape)
    map_scale = property(lambda self: self.map_scales.get(self.scores[self.score].map_name, 1.0))
    _own_search = property(lambda self: {name: getattr(self, name) for name in ("init", "steps", "seed")})
    search = property(lambda self: self.ways.search, doc="The paper's search for z, from random starts.")

    # ---- fitting
    def fit(
        self, data: AnomalyDataset, false_alarm_rate=0.05, verbose=True, checkpoint_dir=None, estimate=False
    ) -> "AnoGAN":
        """Fit the recipe's encoder to training images, the score to validation, the threshold to calibration images.

        With a checkpoint_dir, what was interrupted goes on there: the encoder's training, standardising, calibrating.
        """
        if not int(self.gan.steps_done.numpy()):
            raise ValueError("The DCGAN has not been trained: gan.train(data.train, epochs=...) comes before fit.")
        if self.init == "encoder":
            held_back = data.validation if RECIPES[self.recipe][2] else None
            self.fit_encoder(data.train, held_back, checkpoint_dir=checkpoint_dir, verbose=verbose)
        self._remember("train", data.train)  # the DCGAN has learned from them in any case
        self.standardise(data.validation, checkpoint_dir)
        return self.calibrate(data.calibration, false_alarm_rate, estimate, checkpoint_dir)

    def fit_encoder(self, images, validation=None, **options) -> "AnoGAN":
        """Train E on normal images (N, H, W, C), with the options of `train_encoder`; None for the recipe's own.

        Where `validation` images are given, training ends when these are explained no better. The background of
        score="best" is fitted to what G(E(x)) leaves unexplained of the training images.
        """
        split = normal_split(images)
        own = dict.fromkeys(("adapt", "patches"), RECIPES[self.recipe][2])
        encoder, generator, history = train_encoder(self.gan, split, validation, **own | options)
        self.adopt(generator, encoder)
        self.encoder_history, flips = history, self.gan.settings.flips or history["moved"]
        self._remember("train", split)
        if self.score == "best":
            some = background.examples(split, self.scores.shapes().values(), flips, self.seed)
            differences = self.scores.differences(self.invert(some, init="encoder", steps=0))
            self.scores["best"].fit_backgrounds(differences, self.seed)
        return self

    def standardise(self, images, checkpoint_dir=None) -> "AnoGAN":
        """Let the scores learn from normal images that trained nothing: the validation images.

        They learn the spread of each loss; score="best" first chooses how much of the background it filters out.
        """
        split = normal_split(images)
        self.calibration, self.card = None, {}
        self.scores.forget()
        own = self.scores[self.score]
        self.weights = own.weights(self.lam)
        if self.score == "best" and own.backgrounds:
            self.scores.choose_shares(split, self.invert, self.seed, len(split) if self.steps else None)
        losses, _, maps = self._look_at(split, checkpoint_dir)
        self.scores.learn(losses)
        before, self.weights = self.weights, own.weights(self.lam)  # in spreads, which are known now
        if self.steps and self.weights != before:
            losses, _, maps = self._look_at(split, checkpoint_dir)
            self.scores.learn(losses)
        self.map_scales = {name: common_scale(each) for name, each in maps.items()}
        self._remember("validation", split)
        return self

    def calibrate(self, images, false_alarm_rate=0.05, estimate=False, checkpoint_dir=None) -> "AnoGAN":
        """Set the thresholds from normal images that served for nothing else, as `thresholds.hierarchical` promises."""
        split = normal_split(images)
        losses, peaks, _ = self._look_at(split, checkpoint_dir, maps=0)
        learned, a = losses | peaks, self.combine(losses)
        if split.groups is not None:
            learned["groups"] = np.unique(split.groups, return_inverse=True)[1].astype("int32")
        calibration = Calibration(learned, self._own_search, flag("estimate", estimate))
        calibration.threshold(a, false_alarm_rate)  # refuses what so few cannot promise
        self.calibration, self.false_alarm_rate, self.card = calibration, float(false_alarm_rate), {}
        self._remember("calibration", split)
        return self

    def _look_at(self, split: Split, checkpoint_dir, maps: int | None = None) -> tuple[dict, dict, dict]:
        at_once = self.ways.lanes[self.init].lanes if self.steps else AT_ONCE
        kept = checkpoint_dir and Parts(Path(checkpoint_dir) / LOOKED, saving.digest(self))
        return look_at(split, self.invert, self._all_maps, maps, at_once, kept)

    def _remember(self, name: str, split: Split) -> None:
        self.value_range = split.value_range or self.value_range
        named = split.names is not None and len(set(split.names)) == len(split)
        names = split.names if named else range(len(split))
        self.split_digests[name] = dict(zip(map(str, names), split.digests(), strict=True))

    # ---- scores and thresholds
    def combine(self, losses: Mapping, lam: float | None = None, score: str | None = None) -> np.ndarray:
        """Compute A(x), (N,), from losses, under the detector's score and lambda, or another score and its own."""
        score = self.score if score is None else scores.check_score(score)
        return self.scores.combine(score, losses, self._lam_of(score, lam))

    def _lam_of(self, score: str, lam: float | None) -> float:
        """Return the lambda that is asked for, else the detector's for its own score, and another score's own."""
        default = self.lam if score == self.score else scores.default_lam(score)
        return check_lam(default if lam is None else lam)

    @property
    def calibration_scores(self) -> np.ndarray:
        """A(x) of the calibration images under the present lambda and score, (n,)."""
        return self.combine(self._calibrated())

    def _calibrated(self) -> Calibration:
        if self.calibration is None:
            raise ValueError("The detector has no threshold yet: call detector.calibrate(data.calibration) first.")
        if self._own_search != self.calibration.search:
            raise ValueError(
                f"The threshold belongs to another search, {self.calibration.search}: call detector.standardise and "
                f"detector.calibrate again for this one. Received: {self._own_search}"
            )
        return self.calibration

    @property
    def threshold(self) -> thresholds.Threshold:
        """A(x) above this is anomalous; it follows lambda, score and false-alarm rate."""
        return self._calibrated().threshold(self.calibration_scores, self.false_alarm_rate)

    @property
    def pixel_threshold(self) -> thresholds.Threshold:
        """A map's pixel above this is anomalous; `regions.regions(map, detector.pixel_threshold)` finds where.

        It is the split-conformal quantile of the highest pixel of each calibration image: at most `false_alarm_rate` of
        new normal images have any pixel above it.
        """
        peaks = self._calibrated().get(f"{self.scores[self.score].map_name}_peak")
        if peaks is None:
            raise ValueError(f"The detector was calibrated without the maps of score={self.score!r}: calibrate again.")
        return self.calibration.threshold(peaks, self.false_alarm_rate)

    def drift(self, scores: np.ndarray) -> tuple[float, str]:
        """Compare the scores of new images, as a whole, with the calibration images'; see `thresholds.drift`."""
        return thresholds.drift(self.calibration_scores, scores)

    # ---- using
    def invert(
        self,
        images,
        steps: int | None = None,
        restarts: int = 1,
        init: str | None = None,
        lam: float | None = None,
        score: str | None = None,
        *,
        step_size: float | None = None,
        seed: int | None = None,
        trace: bool = False,
        record_every: int = 10,
        batch_size: int = 64,
        progress: bool = False,
    ) -> ScoredInversion:
        """Find z for every image (N, H, W, C) in [-1, 1], of an array, a split or a tf.data.Dataset.

        Args:
            steps: of the search; None for the detector's or, with another `init`, that start's own.
            restarts: how many starts; the one with the lowest L(z) is kept, image by image.
            init: "random" or "encoder"; from an encoder, the second and later starts are random.
            lam, score: search again with this lambda, and in this score's units; None for the detector's own search.
            step_size: Adam's first, to walk as in the paper, 0.05; None for the larger steps of the short search.
            seed: of the random starts; None for the detector's.
            trace: record z, R and D every `record_every` steps.
            batch_size, progress: images in memory at a time; whether a progress bar is shown.
        """
        if isinstance(images, AnomalyDataset):
            raise ValueError("A data set holds several splits: name one, for example data.test.")
        split = as_split(images)
        check_fit("detector", self.image_shape, split.image_shape)
        init = one_of("init", self.init if init is None else init, PACES)
        seed = check_seed(self.seed if seed is None else seed)
        steps = self.steps if steps is None and init == self.init else steps
        weights, asked = self.weights, self.score if score is None else scores.check_score(score)
        own = (lam, score, step_size, restarts) == (None, None, None, 1)
        own &= {"init": init, "steps": steps, "seed": seed} == self._own_search
        if lam is not None or score is not None:
            lam = self._lam_of(asked, lam)
            weights = self.scores[asked].weights(lam)
        record_every = whole("record_every", record_every, 1) * trace
        options = {"seed": seed, "record_every": record_every, "batch_size": batch_size, "progress": progress}
        found = self.ways.invert(split, init, steps, weights, step_size, restarts, **options)
        losses = self.scores.losses(self.score, found)
        return ScoredInversion(**vars(found), losses=losses, weigh=self.combine, lam=lam, score=asked, own=own)

    def maps(self, found: Inversion) -> np.ndarray:
        """Return the anomaly maps of the detector's score, (N, H, W)."""
        return self.scores.maps(self.score, found)

    def _all_maps(self, found: Inversion) -> dict[str, np.ndarray]:
        """Return the maps of the detector's score and the plain residual maps, by `map_name`."""
        own = {self.scores[self.score].map_name: self.maps(found)}
        return own if "map" in own else own | {"map": found.maps()}

    def predict(self, images, progress: bool = False, **refused) -> Prediction:
        """Return scores, p-values, verdicts and maps of N images, by the detector's own search. Needs calibration.

        For another lambda or score set `detector.lam` or `.score` first; for another search set `.init`, `.steps` or
        `.seed`, standardise and calibrate again. The options of `invert` are refused.
        """
        for name, value in refused.items():
            raise ValueError(
                f"Verdicts belong to the calibration's search and score: set detector.{name} = {value!r} first, and "
                f"calibrate again for another search; detector.invert(images, {name}={value!r}) needs no calibration."
            )
        self._calibrated()  # says what is missing before the search is made
        return self.judge(self.invert(images, progress=progress))

    def judge(self, found: ScoredInversion) -> Prediction:
        """Return what `predict` does, for what the detector's own search found. ValueError for another search."""
        if not found.own:
            raise ValueError("Verdicts belong to the detector's own search: detector.judge(detector.invert(images)).")
        a, both = found.scores(self.lam, self.score), (found.residual, found.discrimination)
        p_values = self._calibrated().p_values(self.calibration_scores, a)
        verdicts = self.threshold.verdicts(a)
        return Prediction(a, p_values, verdicts, self.maps(found), *both, found.reconstruction, found.losses)

    def evaluate(self, data, prediction: Prediction | None = None, progress: bool = False) -> Evaluation:
        """Evaluate the detector on labelled images that it has not learned from, beside simple rivals on their pixels.

        Args:
            data: a data set (its test images are taken), a split with labels, or a tf.data.Dataset of (image, label).
            prediction: what `predict` returned for these very images; None to search now.
        """
        images = labelled(data)
        rows, train = self.unseen(images), data.train if isinstance(data, AnomalyDataset) else images.reference
        if not len(rows):
            raise ValueError("The detector has learned from every one of these images: evaluate it on others.")
        split, found = images[rows], prediction or self.predict(images[rows], progress)
        columns = ("scores", "p_values", "maps", "residual", "discrimination")
        about = {name: getattr(found, name)[rows if prediction else slice(None)] for name in columns}
        about |= {name: getattr(split, name) for name in ("labels", "kinds", "names", "masks", "groups")}
        about |= {} if train is None else baselines.beside(train.images, split)
        return Evaluation(threshold=self.threshold, left_out=len(images) - len(rows), **about)

    def unseen(self, split: Split) -> np.ndarray:
        """Return the places of those images of a split that the detector has not learned from, by their digests."""
        learned = {digest for digests in self.split_digests.values() for digest in digests.values()}
        return np.flatnonzero([digest not in learned for digest in split.digests()])

    # ---- as the two earlier systems have it
    def test(self, dataset, results_dir="results"):
        """Score labelled images and draw a picture of each.

        Returns:
            [{"anomaly_score": float, "label": int}, ...], the calibrated threshold, and the accuracy.
        """
        split = labelled(dataset)
        found = self.predict(split)
        pairs = zip(found.scores.tolist(), split.labels.tolist(), strict=True)
        results = [{"anomaly_score": score, "label": label} for score, label in pairs]
        folder, scale = Path(results_dir), {"vmax": self.map_scale, "threshold": self.threshold}
        folder.mkdir(parents=True, exist_ok=True)
        for i, image in enumerate(split.images):
            about = (found.reconstruction[i], found.maps[i], float(found.scores[i]))
            comparison(image, *about, **scale).savefig(folder / f"{i:04d}.png")
        return results, float(self.threshold), float(np.mean(found.verdicts == (split.labels == 1)))

    def compute_anomaly_score(self, image, **options):
        """Return A(x) of one image (H, W, C) or (1, H, W, C), and the similar image G(z), (H, W, C)."""
        image = np.asarray(getattr(image, "images", image), "float32")
        found = self.invert(image[None] if image.ndim == 3 else image, **options)
        if len(found) != 1:
            raise ValueError(f"compute_anomaly_score takes one image; predict takes many. Received: {len(found)}")
        return float(found.scores()[0]), found.reconstruction[0]

    def save(self, folder, card: dict | None = None) -> None:
        """Write the detector into `folder`, whole or not at all; `card` holds its data, command, results ..."""
        saving.write(self, Path(folder), self.card if card is None else card)

    @classmethod
    def load(cls, folder, **settings) -> "AnoGAN":
        """Read a detector that `save` wrote; `lam`, `score` and `steps` may be replaced."""
        given = {name: value for name, value in settings.items() if value is not None}
        with tf.variable_creator_scope(unnamed):
            return saving.read(cls, Path(folder), given)
