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

import keras
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
    goal: float | np.ndarray = -np.inf,
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
        goal: an L(z) that is low enough, one for all or one for each image, (N,): who has reached it starts no more.
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
    starts = ["encoder" if init == "encoder" and restart == 0 else "random" for restart in range(restarts)]
    walker, weights = search.at(precision), tf.constant(weights, tf.float32)
    plan = _Plan(search, walker, steps, weights, step_size, starts, encoder, seed, trace and record_every, usual)
    queries, parts, searched = [], [], 0
    with tqdm(desc="inverse mapping", unit="image", disable=not progress) as bar:
        for batch in iterate_batches(images, batch_size):
            x = search.within(tf.convert_to_tensor(batch)).numpy()
            low = goal[searched : searched + len(x)] if np.ndim(goal) else np.full(len(x), goal)
            if len(low) < len(x):
                raise ValueError(f"goal is one number, or one for each image. Received {len(goal)} for more images.")
            queries.append(x)
            parts.append(plan.best(x, low, bar))
            searched += len(x)
    found, record = _joined(parts), None
    if trace:
        z, r, d = (np.stack(each) for each in zip(*found.record, strict=True))
        record = Trace(np.array([*range(0, steps, record_every), steps]), z, r, d)
    return Inversion(np.concatenate(queries), found.z, found.reconstruction, found.losses, record, **about, usual=usual)


class _Found(NamedTuple):
    """What searches found, of N images each."""

    z: np.ndarray
    reconstruction: np.ndarray
    losses: dict[str, np.ndarray]
    objective: np.ndarray  # L(z), (N,)
    record: list[tuple]  # (z, R, D) at each recorded step

    def at(self, rows) -> "_Found":
        return tf.nest.map_structure(lambda values: values[rows], self)


def _joined(parts: list[_Found]) -> _Found:
    return tf.nest.map_structure(lambda *values: np.concatenate(values), *parts)


class _Plan(NamedTuple):
    """How every search of one call of `invert` goes."""

    search: LatentSearch  # which measures
    walker: LatentSearch  # which makes the steps, in the precision that was asked for
    steps: int
    weights: tf.Tensor
    step_size: float | None
    starts: list[str]  # of each image: "encoder" or "random"
    encoder: keras.Model | None
    seed: int
    record_every: int  # 0 for no record
    usual: dict[str, Usual] | None

    def best(self, x: np.ndarray, goal: np.ndarray, bar) -> _Found:
        """For each of N images the lowest end of its starts; one that has reached its goal (N,) starts no more.

        No lane stays empty while there is a start to make: where images are few, or few have not reached their goal,
        several starts of the same image are searched at once.
        """
        lanes = self.walker.lanes if self.steps else len(x)  # steps magnify what rounding does, one look does not
        waiting = [(restart, i) for restart in range(len(self.starts)) for i in range(len(x))]
        owners, parts, reached = [], [], set()
        while waiting:
            way, open_before = self.starts[waiting[0][0]], {i for _, i in waiting}
            now = [(restart, i) for restart, i in waiting[:lanes] if self.starts[restart] == way]
            found, counts = self.walk(x, now, lanes, way), []
            for row, (_, i) in enumerate(now):
                if i in reached:
                    continue  # a later start counts for nothing, whichever lanes happened to be free for it
                counts.append(row)
                owners.append(i)
                if found.objective[row] <= goal[i]:
                    reached.add(i)
            parts.append(found.at(counts))
            waiting = [(restart, i) for restart, i in waiting[len(now) :] if i not in reached]
            bar.update(len(open_before - {i for _, i in waiting}))
        found = _joined(parts)
        order = np.lexsort((found.objective, owners))  # image by image, the lowest end first
        return found.at(order[np.unique(np.array(owners)[order], return_index=True)[1]])

    def walk(self, x: np.ndarray, now: list[tuple[int, int]], lanes: int, way: str) -> _Found:
        """One search for each (restart, image) of `now`; lanes that would be empty repeat the first."""
        search, steps, filled = self.search, self.steps, [*now, *now[:1] * (lanes - len(now))]
        x = tf.convert_to_tensor(x[[i for _, i in filled]])
        if way == "encoder":
            z = search.start(lanes, way, 0, self.seed, x, self.encoder)
        else:
            drawn = {restart: search.start(1, way, restart, self.seed) for restart, _ in now}
            z = tf.concat([drawn[restart] for restart, _ in filled], axis=0)
        blocks_x, pace = search.blocks_of(x), descent.pace(self.step_size, way)
        pace = tuple(tf.constant(n, tf.float32) for n in pace)
        state, record = (z, tf.zeros_like(z), tf.zeros_like(z)), []
        every = self.record_every or max(steps, 1)
        for first in range(0, steps, every):
            if self.record_every:
                _, _, *losses = search.measure(x, blocks_x[-1], state[0])
                record.append((state[0].numpy(), *(loss.numpy() for loss in losses)))
            span = [tf.constant(n, tf.int32) for n in (first, min(first + every, steps), steps)]
            state = self.walker.descend(x, blocks_x[-1], state, *span, pace, self.weights)
        z = state[0].numpy()
        y, blocks_y, *both = tf.nest.map_structure(np.asarray, search.measure(x, blocks_x[-1], state[0]))
        losses = dict(zip(scoring.LOSSES["paper"], both, strict=True))
        losses |= scoring.local_losses(x, y, blocks_x, blocks_y, self.usual)
        if self.record_every:
            record.append((z, *both))
        objective = np.array(self.weights[0]) * both[0] + np.array(self.weights[1]) * both[1]
        return _Found(z, y, losses, objective, record).at(slice(len(now)))
