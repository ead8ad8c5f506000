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


def compare(train: np.ndarray, test: np.ndarray, labels: np.ndarray, components=(10, 40, 100)) -> dict[str, float]:
    """Image AUROC of each baseline on the same images, raw and mean-removed, unit-norm.

    The best number of PCA components is chosen on the test labels: in the baseline's favour.
    """
    from anogan_lib.metrics import auroc

    if len(np.unique(labels)) < 2:
        return {}
    found = {}
    for name, normalise in (("", False), (", unit norm", True)):
        found[f"3-NN{name}"] = auroc(labels, knn_scores(train, test, 3, normalise))
        found[f"PCA{name}"] = max(
            auroc(labels, pca_scores(train, test, n, normalise)[0])
            for n in components
            if n < min(len(train), train[0].size)
        )
    return found
