"""Anomaly scores, one object each: from an image, its G(z) and the features of both to A(x) and a map.

| name | A(x) |
|---|---|
| paper | (1 - lambda) R + lambda D of raw sums (Schlegl et al. 2017) |
| standardised | the same, R and D each in spreads of normal images |
| f-anogan | A_R + kappa A_D of mean squares (Schlegl et al. 2019) |
| best | the places that differ most, in the image and in every block of D, less contrast and background |
"""

from anogan_lib.checks import one_of
from anogan_lib.scores.basic import FAnoGAN, Paper, Score, Standardised
from anogan_lib.scores.local import Local

CLASSES = {each.name: each for each in (Paper, Standardised, FAnoGAN, Local)}
NAMES = tuple(CLASSES)
__all__ = ["CLASSES", "NAMES", "FAnoGAN", "Local", "Paper", "Score", "Standardised", "check_score", "default_lam"]


def check_score(name: str) -> str:
    """Return the name of a score. Raises ValueError for an unknown one."""
    return one_of("The score", name, NAMES)


def default_lam(name: str) -> float:
    """Return the lambda that a score has where none is given."""
    return CLASSES[check_score(name)].lam
