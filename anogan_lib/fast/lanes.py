"""Searches for many images and restarts at once, each the same to the last bit as on its own.

Every step is computed for the same number of images, the lanes; empty lanes repeat an image. The networks then form
their sums in the same order however the images are batched. This matters: a difference in the seventh digit, as another
order brings it, grows from step to step, and A(x) would depend on the images beside x.

Not every number of lanes will do. Matrix products are computed a few rows at a time, and the rows left over are summed
in another order. How many rows differs from processor to processor, so the number of lanes is tried out.
"""

from functools import cached_property

import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from anogan_lib.datasets.base import iterate_batches
from anogan_lib.paper.prior import draw
from anogan_lib.paper.search import SHORT, Inversion, Pace, Search

MOST_LANES = {"CPU": 8, "GPU": 64}
MEMORY = {"CPU": 2**25, "GPU": 2**31}  # bytes for the layers' outputs of a step: as many as a processor's cache holds


class Lanes(Search):
    """A search that fills lanes; `start` and `descend` of the search it wraps are called for one group at a time.

    Args:
        search: where it starts and how it descends.

    Attributes:
        lanes: images in each step; as many as the memory allows where all of them are computed alike, else fewer.
    """

    def __init__(self, search: Search):
        super().__init__(search.generator, search.features, search.prior)
        self.search = search

    @cached_property
    def lanes(self) -> int:
        most = _most_lanes(self.generator, self.features)
        counts = (count for i in range(8) for count in (2**i, 3 * 2**i) if count <= most)
        return next(count for count in sorted(counts, reverse=True) if self._alike(count))

    def _alike(self, count: int) -> bool:
        """Return whether a step is the same, to the last bit, in each of `count` lanes that hold the same image."""
        z = draw(1, self.generator.input_shape[-1], self.prior, (0, 0))
        x, z = (tf.repeat(each, count, axis=0) for each in (self.generator(-z, training=False), z))
        z = self.search.descend(x, z, SHORT._replace(steps=1), (0.5, 0.5))[-1].numpy()
        return bool((z == z[:1]).all())

    def start(self, x, restart: int, seed: int):
        return self._in_groups(lambda x: [self.search.start(x, restart, seed)], x)[0]

    def descend(self, x, z, pace: Pace, weights, record_every: int = 0):
        return self._in_groups(lambda x, z: self.search.descend(x, z, pace, weights, record_every), x, z)

    def _in_groups(self, function, *arrays) -> list:
        """Call a function of rows, which returns a list of rows, for as many rows at a time as there are lanes."""
        parts, count = [], len(arrays[0])
        for first in range(0, count, self.lanes):
            group = [array[first : first + self.lanes] for array in arrays]
            empty = self.lanes - len(group[0])
            parts.append(function(*(tf.concat([rows, tf.repeat(rows[:1], empty, axis=0)], axis=0) for rows in group)))
        return [tf.concat(rows, axis=0)[:count] for rows in zip(*parts, strict=True)]

    def invert(
        self, images, pace: Pace = SHORT, *how, batch_size: int = 64, progress: bool = False, **options
    ) -> Inversion:
        """Search z for images in any form, `batch_size` of them in memory at a time, else as `Search.invert` does."""
        # Steps magnify what rounding does. Where there are none, a whole batch may be looked at together.
        invert = super().invert if pace.steps else self.search.invert
        found = []
        with tqdm(desc="inverse mapping", unit="image", disable=not progress) as bar:
            for batch in iterate_batches(images, batch_size):
                found.append(invert(batch, pace, *how, **options))
                bar.update(len(batch))
        return joined(found)


def joined(parts: list[Inversion]) -> Inversion:
    """Join what was found for several batches of images."""
    names = ("images", "z", "reconstruction", "residual", "discrimination")
    values = [np.concatenate([getattr(part, name) for part in parts]) for name in names]
    traces = [part.trace for part in parts]
    if traces[0] is None:
        return Inversion(*values, None)
    recorded = [
        np.concatenate([getattr(t, name) for t in traces], axis=1) for name in ("z", "residual", "discrimination")
    ]
    return Inversion(*values, type(traces[0])(traces[0].steps, *recorded))


def _most_lanes(*networks) -> int:
    """Return how many images the memory allows, a power of two: each layer's output counts, and its gradient."""
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    outputs = sum(int(np.prod(layer.output.shape[1:])) for network in networks for layer in network.layers)
    return 2 ** int(np.log2(np.clip(MEMORY[device] // (4 * outputs), 1, MOST_LANES[device])))
