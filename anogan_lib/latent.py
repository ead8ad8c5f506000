"""The latent space: how z is drawn, and how a search is kept inside the prior.

"sphere": z is uniform on the sphere of radius sqrt(latent_dim), where nearly all of a Gaussian's mass lies anyway.
"normal": z is standard normal in each coordinate.
"""

import numpy as np
import tensorflow as tf

PRIORS = ("sphere", "normal")


def check_prior(prior: str) -> str:
    if prior not in PRIORS:
        raise ValueError(f"The prior is one of {', '.join(PRIORS)}. Received: {prior!r}")
    return prior


def onto_prior(z, prior: str):
    """The nearest z that the prior allows: on the sphere z is scaled to its radius, otherwise z stays. (N, L)."""
    if prior == "normal":
        return z
    radius = float(np.sqrt(z.shape[-1]))
    return z * (radius * tf.math.rsqrt(tf.reduce_sum(z**2, axis=-1, keepdims=True) + 1e-12))


def draw(count, latent_dim: int, prior: str, seed):
    """z (count, latent_dim) from the prior; the same for the same seed (two ints), whatever was drawn before."""
    return onto_prior(tf.random.stateless_normal((count, latent_dim), seed), prior)
