"""Honest baselines on raw pixels: nearest neighbours and PCA, without any network.

A detector that does not beat these has learned nothing worth its training.
"""

import numpy as np


def _flatten(images: np.ndarray, normalise: bool) -> np.ndarray:
    """(N, H, W, C) in [-1, 1] -> (N, H*W*C); with `normalise` each image has mean 0 and norm 1."""
    flat = np.asarray(images, "float32").reshape(len(images), -1)
    if normalise:
        flat = flat - flat.mean(axis=1, keepdims=True)
        flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-8)
    return flat


def knn_scores(train: np.ndarray, test: np.ndarray, k: int = 3, normalise: bool = False) -> np.ndarray:
    """Mean Euclidean distance to the k nearest training images.

    Args:
        train: normal images, (M, H, W, C).
        test: images to score, (N, H, W, C).
        k: number of neighbours.
        normalise: compare images of mean 0 and norm 1, so that brightness and contrast do not count.

    Returns:
        (N,) scores; higher is more anomalous.
    """
    from sklearn.neighbors import NearestNeighbors

    neighbours = NearestNeighbors(n_neighbors=min(k, len(train))).fit(_flatten(train, normalise))
    distances, _ = neighbours.kneighbors(_flatten(test, normalise))  # (N, k)
    return distances.mean(axis=1)


def pca_scores(
    train: np.ndarray, test: np.ndarray, components: int = 100, normalise: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Residual of a linear model: what `components` principal components of the training images leave over.

    Returns:
        (N,) squared norms of the residual, and (N, H, W) maps of its absolute value, mean over channels.
    """
    from sklearn.decomposition import PCA

    x = _flatten(train, normalise)
    pca = PCA(min(components, *x.shape), svd_solver="randomized", random_state=0).fit(x)
    y = _flatten(test, normalise)
    residual = y - pca.inverse_transform(pca.transform(y))  # (N, H*W*C)
    maps = np.abs(residual).reshape(np.shape(test)).mean(axis=-1)  # (N, H, W)
    return (residual**2).sum(axis=1), maps
