"""The score objects of one detector, and what they are given: images, G(z) and the features of both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain

import keras
import numpy as np
import tensorflow as tf

from anogan_lib import scores
from anogan_lib.datasets.base import Split, sample_images
from anogan_lib.paper.networks import feature_extractor
from anogan_lib.paper.search import Inversion
from anogan_lib.scores import background

BATCH = 64  # images compared at a time: what is compared takes several times an image's memory


@dataclass(frozen=True)
class ScoredInversion(Inversion):
    """What the search found for N images (see `paper.search.Inversion`), with the losses of the detector's score.

    Attributes:
        losses: (N,) each by name: residual, discrimination, and those of the detector's score.
        weigh: (losses, lam, score) -> A(x), the detector's `combine`.
        lam, score: what the search was asked for; lam is None where it was the detector's own.
        own: whether it was the detector's own search, to which the verdicts of its calibration belong.
    """

    losses: dict[str, np.ndarray]
    weigh: Callable[..., np.ndarray] = field(repr=False)
    lam: float | None
    score: str
    own: bool

    def scores(self, lam: float | None = None, score: str | None = None) -> np.ndarray:
        """Compute A(x), (N,), under any lambda and score: the losses are weighed again, without a new search."""
        if lam is None and score in (None, self.score):
            lam = self.lam
        return self.weigh(self.losses, lam, score or self.score)


class Scorer:
    """Compute the losses and maps of what a search found, under any of the scores.

    Args:
        discriminator: D; its blocks are the feature layers that scores look at besides f.
        features: f, images (N, H, W, C) -> (N, h, w, channels).

    Attributes:
        objects: the score objects, by name.
    """

    def __init__(self, discriminator, features):
        self.discriminator, self.features = discriminator, features
        self.objects = {name: kind() for name, kind in scores.CLASSES.items()}
        self["best"].blocks = sum(layer.name.startswith("features_") for layer in discriminator.layers)
        self._graphs: dict[tuple, tuple] = {}

    def __getitem__(self, name: str) -> scores.Score:
        return self.objects[scores.check_score(name)]

    def losses(self, name: str, found: Inversion) -> dict[str, np.ndarray]:
        """Return R, D and every loss that a score needs besides them, (N,) each."""
        losses = {"residual": found.residual, "discrimination": found.discrimination}
        return losses | ({} if self.known(name, losses) else self._compared(name, found, self[name].losses, "losses"))

    def differences(self, found: Inversion) -> dict[str, np.ndarray]:
        """Return what score="best" compares, (N, h, w, C) by loss."""
        return self._compared("best", found, self["best"].differences, "differences")

    def maps(self, name: str, found: Inversion) -> np.ndarray:
        """Return the anomaly maps of a score, (N, H, W)."""
        return self._compared(name, found, lambda x, y, *features: {"map": self[name].maps(x, y)}, "maps")["map"]

    def known(self, name: str, losses: Mapping) -> bool:
        """Return whether these losses are all that a score needs."""
        return set(self[name].needs) <= losses.keys()

    def choose_shares(self, split: Split, invert: Callable, seed: int, wanted: int | None) -> None:
        """Choose how much of the background score="best" filters out, by patches in validation images.

        Args:
            invert: images (N, H, W, C) -> Inversion.
            wanted: about how many images with patches; None for `background.PATCHED`.
        """
        most = background.enough(*(each.mean.shape for each in self["best"].backgrounds.values()))
        normal, wanted = sample_images(split, most, seed), min(wanted or background.PATCHED, most)
        patched = (background.patched(normal, seed, wanted, opacity) for opacity in background.OPACITIES)
        if len(opaque := next(patched)):  # else no patch shows on these images
            differences = map(self.differences, map(invert, chain([normal, opaque], patched)))
            self["best"].choose_shares(next(differences), differences)

    def names_for(self, losses: Mapping) -> tuple[str, ...]:
        """Return the names of the scores that these losses and what was learned allow."""
        return tuple(name for name in scores.NAMES if self[name].learned and self.known(name, losses))

    def learn(self, losses: Mapping[str, np.ndarray]) -> None:
        """Let each score that these losses are enough for learn from normal images."""
        for name, score in self.objects.items():
            if self.known(name, losses):
                score.learn(losses)

    def forget(self) -> None:
        """Forget the spreads that were learned."""
        for score in self.objects.values():
            score.learn({})

    def combine(self, name: str, losses: Mapping, lam: float) -> np.ndarray:
        """Compute A(x), (N,), under a score. Raises ValueError where a loss is missing, or nothing was learned."""
        if not self.known(name, losses):
            missing = ", ".join(sorted(set(self[name].needs) - losses.keys()))
            made = f'AnoGAN(gan, score="{name}")'
            raise ValueError(f"score={name!r} combines {missing}, which only {made} computes.")
        return np.asarray(self[name].combine(losses, lam))

    def feature_layers(self, name: str) -> keras.Model:
        """Return the feature layers that a score looks at, f the last, as a model: outputs (N, h, w, channels) each."""
        outputs = [feature_extractor(self.discriminator, layer).output for layer in self[name].extra_layers]
        return keras.Model(self.discriminator.input, [*outputs, self.features.output])

    def shapes(self) -> dict[str, tuple]:
        """Return the shapes of what score="best" compares, (None, h, w, C) by loss."""
        x = keras.KerasTensor(self.discriminator.input_shape)
        features = keras.tree.flatten(self.feature_layers("best")(x))
        return {name: each.shape for name, each in self["best"].differences(x, x, features, features).items()}

    def _compared(self, name: str, found: Inversion, function: Callable, what: str) -> dict[str, np.ndarray]:
        """Call a function of x, G(z) and the features of both, which returns arrays by name, for all images.

        It is made into a graph once, and again for another background.
        """
        backgrounds = tuple(getattr(self[name], "backgrounds", {}).values())
        key = (name, what, *map(id, backgrounds))
        if key not in self._graphs:
            layers, images = self.feature_layers(name), tf.TensorSpec((None, *found.images.shape[1:]))

            def compare(x, y):
                return function(x, y, *(keras.tree.flatten(layers(each)) for each in (x, y)))

            graph = tf.function(compare, autograph=False, jit_compile=False)
            # The backgrounds are kept beside it, so that no other one takes over their ids.
            self._graphs[key] = graph.get_concrete_function(images, images), backgrounds
        parts = []
        for first in range(0, len(found), BATCH):
            pair = (each[first : first + BATCH] for each in (found.images, found.reconstruction))
            compared = self._graphs[key][0](*map(tf.constant, pair))
            parts.append({each: value.numpy() for each, value in compared.items()})
        return {each: np.concatenate([part.pop(each) for part in parts]) for each in list(parts[0])}
