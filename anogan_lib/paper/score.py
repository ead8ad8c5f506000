"""The anomaly score: how badly G(z) explains an image x, and where (Schlegl et al. 2017, equations 2 to 5).

x is the query image and y = G(z) its reconstruction, (N, H, W, C) in [-1, 1]. f(x) and f(y) are the activations of a
feature layer of the discriminator, (N, h, w, channels). Each loss is one number per image, (N,), and an image never
sees its neighbours in the batch.
"""

from keras import ops

from anogan_lib.checks import real


def residual_loss(x, y):
    """R(x) = sum |x - G(z)| over pixels and channels: (N, H, W, C) twice -> (N,)."""
    return ops.sum(ops.abs(x - y), axis=(1, 2, 3))


def discrimination_loss(feature_x, feature_y):
    """D(x) = sum |f(x) - f(G(z))|, feature matching: (N, h, w, channels) twice -> (N,)."""
    return ops.sum(ops.abs(feature_x - feature_y), axis=(1, 2, 3))


def anomaly_score(residual, discrimination, lam: float):
    """A(x) = (1 - lambda) R(x) + lambda D(x): (N,) twice -> (N,). The paper's lambda is 0.1."""
    return (1.0 - lam) * residual + lam * discrimination


def residual_map(x, y, signed: bool = False):
    """Return |x - G(z)|, or x - G(z) with `signed`, averaged over channels: (N, H, W, C) twice -> (N, H, W)."""
    difference = x - y
    return ops.mean(difference if signed else ops.abs(difference), axis=-1)


def check_lam(lam: float) -> float:
    """Return lambda as a float. Raises ValueError outside [0, 1]."""
    return real("lambda", lam, 0, 1)
