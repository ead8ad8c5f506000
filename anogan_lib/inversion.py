"""The search for z: given an image x, which z lets G(z) explain it?

Schlegl et al. 2017 (arXiv 1703.05921), section 2.2. There is no inverse of G, so z is found by gradient descent on

    L(z) = (1 - lambda) R(z) + lambda D(z),    R(z) = sum |x - G(z)|,    D(z) = sum |f(x) - f(G(z))|

z itself is the variable, one for each image. Both networks are in inference mode, the loss is a sum over the batch and
Adam acts on each number by itself, so no image sees another: A(x) is a function of x alone.

The steps themselves are in `descent.py`. Left to itself the search takes few, large ones; with `**PAPER` it walks
as in the paper: 500 small ones.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from anogan_lib import descent, scoring
from anogan_lib.datasets.base import iterate_batches
from anogan_lib.descent import LatentSearch
from anogan_lib.usual import Usual

PAPER = {"steps": 500, "step_size": 0.05}
STEPS = 100  # of a search from a random start, left to itself: they reach what the paper's 500 do
RECORD_EVERY = 10  # steps between two looks at the search
STARTS = ("random", "encoder")


@dataclass(frozen=True)
class Trace:
    """What the search looked like at each recorded step.

    Attributes:
        steps: step numbers, (T,); the first is 0, the start.
        z: (T, N, latent_dim).
        residual: R, (T, N).
        discrimination: D, (T, N).
    """

    steps: np.ndarray
    z: np.ndarray
    residual: np.ndarray
    discrimination: np.ndarray


@dataclass(frozen=True)
class Inversion:
    """What the search found for N images.

    Attributes:
        images: the query images x, (N, H, W, C).
        z: (N, latent_dim).
        reconstruction: G(z), (N, H, W, C).
        losses: per-image losses by name, each (N,): "residual", "discrimination" and those of score="best".
        trace: the recorded steps, or None.
        lam, score, spreads: the detector's, used where `scores` is not told otherwise.
        usual: what normal images' differences have in common, by loss; what score="best" looks past.
    """

    images: np.ndarray
    z: np.ndarray
    reconstruction: np.ndarray
    losses: dict[str, np.ndarray]
    trace: Trace | None = None
    lam: float = 0.1
    score: str = "paper"
    spreads: scoring.Standardisation | None = field(default=None, repr=False)
    usual: dict[str, Usual] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.z)

    @property
    def residual(self) -> np.ndarray:
        """R(x), (N,)."""
        return self.losses["residual"]

    @property
    def discrimination(self) -> np.ndarray:
        """D(x), (N,)."""
        return self.losses["discrimination"]

    def scores(self, lam: float | None = None, score: str | None = None) -> np.ndarray:
        """A(x), (N,), under this lambda and score: a re-weighting, no new search."""
        score = self.score if score is None else scoring.check_score(score)
        if lam is None:
            lam = self.lam if score == self.score else scoring.DEFAULT_LAM[score]
        return scoring.combine(self.losses, lam, score, self.spreads)

    def maps(self, signed: bool = False) -> np.ndarray:
        """Residual maps |x - G(z)|, or x - G(z), averaged over channels: (N, H, W)."""
        return np.asarray(scoring.residual_map(self.images, self.reconstruction, signed))

    def local_maps(self) -> np.ndarray:
        """The maps behind score="best": see `scoring.local_map`, (N, H, W)."""
        return scoring.local_map(self.images, self.reconstruction, self.usual)


def invert(
    search: LatentSearch,
    images,
    *,
    steps: int,
    weights,
    step_size: float | None = None,
    restarts: int = 1,
    init: str = "random",
    encoder=None,
    seed: int = 0,
    batch_size: int = 64,
    precision: str = "float32",
    trace: bool = False,
    record_every: int = RECORD_EVERY,
    progress: bool = False,
    usual: dict[str, Usual] | None = None,
    **about,
) -> Inversion:
    """Search z for every image, some at a time; of several restarts the one that ends with the lowest L(z) is kept.

    Args:
        search: G, f and the prior.
        images: (N, H, W, C) in [-1, 1]; an array, a split or a tf.data.Dataset.
        steps: gradient steps; 0 measures the start.
        weights: of R and of D in L(z).
        step_size: Adam's first step size, for a walk as in the paper; None for the short one.
        restarts: how many starts; from an encoder, the second and later ones are random.
        init: "random" or "encoder".
        batch_size: images read at a time; how many of them are searched at once follows from the memory they take.
        precision: "bfloat16" for steps in half precision: 1.2 to 1.8 times as fast on processors with AVX512-BF16, more
            with AMX, slower on others. z then differs a little; losses are float32's in either case.
        trace: record z, R and D every `record_every` steps.
        usual: what score="best" looks past, see `usual.Usual`; handed on to the Inversion too.
        about: `lam`, `score` and `spreads`, handed on to the Inversion.
    """
    if init not in STARTS:
        raise ValueError(f'init is "random" or "encoder". Received: {init!r}')
    if init == "encoder" and encoder is None:
        raise ValueError('init="encoder" needs an encoder: call detector.fit_encoder(data.train) first.')
    if steps < 0 or restarts < 1 or record_every < 1:
        received = f"{steps}, {restarts} and {record_every}"
        raise ValueError(f"steps is at least 0, restarts and record_every at least 1. Received: {received}")
    walker, weights = search.at(precision), tf.constant(weights, tf.float32)
    plan = _Plan(search, walker, steps, weights, step_size, record_every if trace else None, usual)
    queries, parts = [], []
    with tqdm(desc="inverse mapping", unit="image", disable=not progress) as bar:
        for batch in iterate_batches(images, batch_size):
            lanes = walker.lanes if steps else len(batch)  # steps magnify what rounding does, one look does not
            for first in range(0, len(batch), lanes):
                count = len(batch[first : first + lanes])
                x = search.within(tf.convert_to_tensor(_filled(batch[first : first + count], lanes)))
                blocks_x = search.blocks_of(x)
                best = None
                for restart in range(restarts):
                    way = init if restart == 0 else "random"
                    z = search.start(lanes, way, restart, seed, x, encoder)
                    found = plan.run(x, blocks_x, z, way)
                    best = found if best is None else _better(best, found)
                queries.append(x.numpy()[:count])
                parts.append(best.first(count))
                bar.update(count)
    return _join(queries, parts, about | {"usual": usual})


def _filled(images: np.ndarray, lanes: int) -> np.ndarray:
    """As many images as there are lanes, the first one over and over in those that would be empty."""
    return np.concatenate([images, np.repeat(images[:1], lanes - len(images), axis=0)])


class _Found(NamedTuple):
    """What one search found for one batch."""

    z: np.ndarray
    reconstruction: np.ndarray
    losses: dict[str, np.ndarray]
    objective: np.ndarray  # L(z), (N,)
    record: list[tuple]  # (step, z, R, D) of each recorded step

    def first(self, count: int) -> "_Found":
        """What was found for the first `count` images."""
        losses = {name: values[:count] for name, values in self.losses.items()}
        record = [(step, *(part[:count] for part in parts)) for step, *parts in self.record]
        return _Found(self.z[:count], self.reconstruction[:count], losses, self.objective[:count], record)


class _Plan(NamedTuple):
    """How every search of one call of `invert` goes."""

    search: LatentSearch  # which measures
    walker: LatentSearch  # which makes the steps, in the precision that was asked for
    steps: int
    weights: tf.Tensor
    step_size: float | None
    record_every: int | None
    usual: dict[str, Usual] | None

    def run(self, x, blocks_x, z, init: str) -> _Found:
        """One search, from z."""
        search, steps, feature_x = self.search, self.steps, blocks_x[-1]
        walk = tuple(tf.constant(n, tf.float32) for n in descent.pace(self.step_size, init)), self.weights
        state, record = (z, tf.zeros_like(z), tf.zeros_like(z)), []
        every = self.record_every or max(steps, 1)
        for first in range(0, steps, every):
            if self.record_every:
                _, _, *losses = search.measure(x, feature_x, state[0])
                record.append((first, *(part.numpy() for part in (state[0], *losses))))
            span = [tf.constant(n, tf.int32) for n in (first, min(first + every, steps), steps)]
            state = self.walker.descend(x, feature_x, state, *span, *walk)
        z = state[0]
        y, blocks_y, residual, discrimination = tf.nest.map_structure(np.asarray, search.measure(x, feature_x, z))
        losses = {"residual": residual, "discrimination": discrimination}
        losses |= scoring.local_losses(x, y, blocks_x, blocks_y, self.usual)
        if self.record_every:
            record.append((steps, z.numpy(), residual, discrimination))
        objective = np.array(self.weights[0]) * residual + np.array(self.weights[1]) * discrimination
        return _Found(z.numpy(), y, losses, objective, record)


def _better(one: _Found, other: _Found) -> _Found:
    """Image by image, the result with the lower objective."""
    take = other.objective < one.objective  # (N,)

    def pick(a, b):
        return np.where(take.reshape(-1, *[1] * (np.ndim(a) - 1)), b, a)

    return _Found(
        pick(one.z, other.z),
        pick(one.reconstruction, other.reconstruction),
        {name: pick(one.losses[name], other.losses[name]) for name in one.losses},
        pick(one.objective, other.objective),
        [(step, *map(pick, a, b)) for (step, *a), (_, *b) in zip(one.record, other.record, strict=True)],
    )


def _join(queries: list[np.ndarray], parts: list[_Found], about: dict) -> Inversion:
    """The batches' results, one after the other."""
    losses = {name: np.concatenate([part.losses[name] for part in parts]) for name in parts[0].losses}
    trace = None
    if parts[0].record:
        columns = list(zip(*(part.record for part in parts), strict=True))  # T x batches
        steps = np.array([column[0][0] for column in columns])
        z, r, d = (np.stack([np.concatenate([entry[i] for entry in column]) for column in columns]) for i in (1, 2, 3))
        trace = Trace(steps, z, r, d)
    z = np.concatenate([part.z for part in parts])
    y = np.concatenate([part.reconstruction for part in parts])
    return Inversion(np.concatenate(queries), z, y, losses, trace, **about)
