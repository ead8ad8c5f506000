"""The ways to z of a detector: the search from a random start, the encoder, and the encoder with a search after it."""

import keras
import numpy as np
from keras import ops

from anogan_lib.checks import real, whole
from anogan_lib.datasets.base import as_split
from anogan_lib.fast.encoder import EncoderSearch
from anogan_lib.fast.lanes import Lanes
from anogan_lib.paper.search import PAPER, SHORT, Inversion, Search

MOST_STEPS, MOST_RESTARTS = 10**6, 1000
PACES = {"random": SHORT, "encoder": SHORT._replace(steps=0, step_size=0.2)}  # smaller steps from a good start


class Ways:
    """Invert images from a random start or, with an encoder, from E(x).

    Args:
        generator, features, prior, encoder: as `EncoderSearch` takes them; encoder may be None.
        region: (H, W) bool, the region of interest, or None for the whole image.
        elsewhere: (H, W, C), what x and G(z) are replaced by outside the region.

    Attributes:
        search: the paper's search, from random starts.
        lanes: by the name of the start, the search that fills lanes.
    """

    def __init__(self, generator, features, prior: str, encoder=None, region=None, elsewhere=None):
        self.region, self.elsewhere = region, elsewhere
        if region is not None:
            generator = keras.Model(generator.input, self.within(generator.output))
        self.search = Search(generator, features, prior)
        self.lanes = {"random": Lanes(self.search)}
        if encoder is not None:
            self.lanes["encoder"] = Lanes(EncoderSearch(generator, features, prior, encoder))

    def invert(
        self, images, init: str, steps: int | None, weights, step_size: float | None, restarts: int, **options
    ) -> Inversion:
        """Find z for each image; see `AnoGAN.invert` for the arguments, and `Lanes.invert` for the options."""
        if init not in self.lanes:
            raise ValueError('init="encoder" needs an encoder: call detector.fit_encoder(data.train) first.')
        pace = PACES[init]
        if step_size is not None:
            pace = PAPER._replace(step_size=real("step_size", step_size, 0, 100, above=True))
        steps = PACES[init].steps if steps is None else whole("steps", steps, 0, MOST_STEPS)
        if self.region is not None:
            images = np.asarray(self.within(as_split(images).images))
        restarts = whole("restarts", restarts, 1, MOST_RESTARTS)
        return self.lanes[init].invert(images, pace._replace(steps=steps), weights, restarts, **options)

    def within(self, images):
        """Replace what lies outside the region of interest, (N, H, W, C)."""
        if self.region is None:
            return images
        return ops.where(self.region[..., None], images, self.elsewhere)
