"""The prior of the latent vector z: how z is drawn, and how a search is held where G was trained.

"sphere": z is uniform on the sphere of radius sqrt(L). In many dimensions nearly all the mass of a Gaussian is near it.
"normal": z is standard normal in each coordinate.
"""

import numpy as np
import tensorflow as tf


def onto_prior(z, prior: str):
    """Return the nearest z that the prior allows, (N, L): on the sphere z is scaled to its radius, else it stays."""
    if prior == "normal":
        return z
    radius = float(np.sqrt(z.shape[-1]))
    return z * (radius * tf.math.rsqrt(tf.reduce_sum(z**2, axis=-1, keepdims=True) + 1e-12))


def draw(count, latent_dim: int, prior: str, seed):
    """Draw z (count, latent_dim) from the prior. The same seed, a pair of ints, always gives the same z."""
    return onto_prior(tf.random.stateless_normal((count, latent_dim), seed), prior)
