"""Score images without any network: nearest neighbours and PCA on raw pixels.

A detector that does not beat these has learned nothing worth its training.
"""

import numpy as np

from anogan_lib.evaluation.metrics import auroc, known_pixels, pixel_auroc

COMPONENTS = (10, 20, 40, 80, 160)  # of PCA; the best of them counts
BLUR = 2 / 64  # maps are smoothed by this share of the image's side, as the detector's are


def _flatten(images: np.ndarray, normalise: bool) -> np.ndarray:
    """Flatten (N, H, W, C) in [-1, 1] to (N, H*W*C); with `normalise` each image gets mean 0 and norm 1."""
    flat = np.asarray(images, "float32").reshape(len(images), -1)
    if normalise:
        flat = flat - flat.mean(axis=1, keepdims=True)
        flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-8)
    return flat


def knn_scores(train: np.ndarray, test: np.ndarray, k: int = 3, normalise: bool = False) -> np.ndarray:
    """Compute each image's mean Euclidean distance to the k nearest training images, (N,); higher is more anomalous.

    Args:
        train, test: normal images (M, H, W, C), and those to score, (N, H, W, C).
        k: number of neighbours.
        normalise: compare images of mean 0 and norm 1, so that brightness and contrast do not count.
    """
    from sklearn.neighbors import NearestNeighbors

    neighbours = NearestNeighbors(n_neighbors=min(k, len(train))).fit(_flatten(train, normalise))
    distances, _ = neighbours.kneighbors(_flatten(test, normalise))  # (N, k)
    return distances.mean(axis=1)


def pca_residuals(train: np.ndarray, test: np.ndarray, components=COMPONENTS, normalise: bool = False):
    """Compute what PCA of the training images cannot explain, for each number of principal components.

    Yields:
        number of components (never more than the training images can give), (N,) squared norms of the residual, and
        (N, H, W) maps of its absolute value, mean over channels.
    """
    from sklearn.decomposition import PCA

    x = _flatten(train, normalise)
    sizes = sorted({min(n, min(x.shape) - 1) for n in components})
    pca = PCA(sizes[-1], svd_solver="randomized", random_state=0).fit(x)
    y = _flatten(test, normalise) - pca.mean_
    z = y @ pca.components_.T  # (N, most components)
    for n in sizes:
        residual = y - z[:, :n] @ pca.components_[:n]  # (N, H*W*C)
        yield n, (residual**2).sum(axis=1), np.abs(residual).reshape(np.shape(test)).mean(axis=-1)


def smoothed(maps: np.ndarray, share: float = BLUR) -> np.ndarray:
    """Smooth maps (N, H, W) with a Gaussian whose standard deviation is a share of the shorter side."""
    from scipy.ndimage import gaussian_filter

    sigma = share * min(maps.shape[1:])
    return gaussian_filter(maps, (0, sigma, sigma), truncate=3.0)


def beside(train: np.ndarray, split) -> dict[str, dict]:
    """Compute what `Evaluation` takes: the image AUROC of each baseline on a labelled split, and PCA's pixel AUROC."""
    images, pixels = _rivals(train, split.images, split.labels, split.masks)
    return {"baselines": images, "pixel_baselines": pixels}


def compare_pixels(train: np.ndarray, test: np.ndarray, labels: np.ndarray, masks) -> dict[str, float]:
    """Compute the pixel AUROC of PCA's smoothed maps; {} without masks (N, H, W). Nearest neighbours draw no map.

    The best number of components is chosen on the masks, in the baseline's favour.
    """
    return _rivals(train, test, labels, masks)[1]


def compare(train: np.ndarray, test: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Compute the image AUROC of each baseline, on raw images and on images of mean 0 and norm 1.

    The best number of PCA components is chosen on the test labels, in the baseline's favour. {} for one class alone.
    """
    return _rivals(train, test, labels)[0]


def _rivals(train: np.ndarray, test: np.ndarray, labels: np.ndarray, masks=None) -> tuple[dict, dict]:
    """Compute what `compare` and `compare_pixels` return, with one PCA for both."""
    both, masked = len(np.unique(labels)) > 1, masks is not None and bool(np.any(masks))
    known = known_pixels(labels, masks) if masked else None
    images, pixels = {}, {}
    for name, normalise in (("", False), (", unit norm", True)) if both or masked else ():
        if both:
            images[f"3-NN{name}"] = auroc(labels, knn_scores(train, test, 3, normalise))
        for _, scores, maps in pca_residuals(train, test, normalise=normalise):
            if both:
                images[f"PCA{name}"] = max(images.get(f"PCA{name}", 0.0), auroc(labels, scores))
            if masked:
                found = pixel_auroc(smoothed(maps[known]), masks[known])
                pixels[f"PCA{name}"] = max(pixels.get(f"PCA{name}", 0.0), found)
    return images, pixels
