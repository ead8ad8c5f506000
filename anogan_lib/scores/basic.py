"""The score of the paper, the same standardised, and f-AnoGAN's; and what every score can do."""

from collections.abc import Mapping

import numpy as np
from keras import ops

from anogan_lib.paper.score import anomaly_score, residual_map


class Score:
    """A way to turn losses into A(x).

    x and y = G(z) are images (N, H, W, C) in [-1, 1]. Features are lists of activations (N, h, w, channels): those of
    `extra_layers`, then f. R and D of the paper, `residual` and `discrimination`, come from the search.

    Attributes:
        name: how it is asked for.
        lam: its own lambda, the weight of discrimination against residual.
        needs: names of the losses that it combines.
        extra_layers: blocks of the discriminator that it looks at besides f, as in `paper.networks.feature_extractor`.
        map_name: of its maps; scores with the same name have the same maps.
        learned: whether it has learned what it needs from normal images.
    """

    name = ""
    lam = 0.5
    needs: tuple[str, ...] = ("residual", "discrimination")
    extra_layers: tuple[int, ...] = ()
    map_name = "map"
    learned = True

    def losses(self, x, y, features_x, features_y) -> dict:
        """Return the losses, (N,) each, that it needs besides R and D."""
        return {}

    def learn(self, losses: Mapping[str, np.ndarray]) -> None:
        """Learn from the losses of normal images, (N,) each."""

    def combine(self, losses: Mapping, lam: float):
        """Combine losses, (N,) each, into A(x), (N,)."""
        return anomaly_score(*(losses[name] for name in self.needs), lam)

    def maps(self, x, y):
        """Return where x and G(z) differ, (N, H, W); higher is more anomalous."""
        return residual_map(x, y)

    def weights(self, lam: float) -> tuple[float, float]:
        """Return the weights of R and D in what a search minimises."""
        return 1.0 - lam, lam


class Paper(Score):
    """A(x) = (1 - lambda) R(x) + lambda D(x) of raw sums, lambda 0.1 (Schlegl et al. 2017, equation 5)."""

    name = "paper"
    lam = 0.1


class Standardised(Score):
    """The paper's score of standardised losses: each loss less its mean, in standard deviations, on normal images.

    R and D are sums over different numbers of different things. In spreads of normal images they can be compared, and
    lambda = 0.5 gives both the same weight.

    Attributes:
        spreads: {loss name: (mean, standard deviation)} of normal images; {} before `learn`.
    """

    name = "standardised"

    def __init__(self):
        self.spreads: dict[str, tuple[float, float]] = {}

    learned = property(lambda self: set(self.needs) <= self.spreads.keys())

    def learn(self, losses):
        if any(len(values) < 2 for values in losses.values()):
            raise ValueError("Spreads need at least two normal images: standardise(data.validation).")
        self.spreads = {n: (float(np.mean(v)), float(max(np.std(v), 1e-6))) for n, v in losses.items()}

    def standardise(self, name: str, values):
        """(values - mean) / standard deviation, (N,) -> (N,). Raises ValueError before `learn`."""
        if name not in self.spreads:
            raise ValueError(
                f'score="{self.name}" needs the spreads of its losses on normal images: '
                "detector.standardise(data.validation)"
            )
        mean, spread = self.spreads[name]
        return (values - mean) / spread

    def combine(self, losses, lam):
        residual, *discriminations = (self.standardise(name, losses[name]) for name in self.needs)
        return anomaly_score(residual, sum(discriminations) / len(discriminations), lam)

    def weights(self, lam):
        widths = [self.spreads.get(name, (0.0, 1.0))[1] for name in Score.needs]
        return (1.0 - lam) / widths[0], lam / widths[1]


class FAnoGAN(Score):
    """A(x) = A_R(x) + kappa A_D(x), mean squares over pixels and over features (Schlegl et al. 2019).

    kappa = lambda / (1 - lambda). The score's own lambda 0.5 is the published kappa = 1.
    """

    name = "f-anogan"
    needs = ("mean_square_residual", "mean_square_discrimination")

    def losses(self, x, y, features_x, features_y):
        pairs = ((x, y), (features_x[-1], features_y[-1]))
        return {name: ops.mean((a - b) ** 2, axis=(1, 2, 3)) for name, (a, b) in zip(self.needs, pairs, strict=True)}

    def combine(self, losses, lam):
        return 2.0 * super().combine(losses, lam)
