"""Why does PCA win where it does? What G and PCA leave over of normal images, and what each step of the score brings.

    python -m tests.benchmarks.leftover [--only mvtec_pill ...] [--seed 0] [--jobs 1] [--out results/bench]

For each data set the default detector is trained, or the training in OUT/quality/ is gone on with, which `make quality`
leaves there too. PCA gets as many numbers an image as z has. What is left over of images that trained neither is told
in shares of their variance about the mean training image: of all of it, by frequency, by place and, for PCA, by the
number of training images. Then each step of the score is judged by the labels of the test images, with G(z) and with
PCA's reconstruction. OUT/leftover/ gets a sheet of 64 training images beside 64 of G's. Everything measured so far is
kept as tests/benchmarks/leftover.json, and another run goes on with it. All but the hazelnuts need $ANOGAN_DATA.
"""

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from tests.benchmarks import apart, quality, training

KEPT = Path(__file__).with_suffix(".json")
FIGURE, SHEET = (
    apart.ROOT / "img" / f"{name}.png" for name in ("leftover", "samples")
)  # SHEET: hazelnuts, ours to show
SETS = ("mvtec_pill", "solar_elpv_poly", "magnetic_tile", "hazelnut", "mnist:8")
BANDS = (0, 2, 4, 8, 16, np.inf)  # cycles across an image
COUNTS = (25, 50, 100, 200, 400)  # training images for PCA
BLURS = (1, 2, 3, 4)  # of the maps, pixels of 64 a side


def measure(spec: str, seed: int, out: Path) -> dict:
    """Everything that is told of one data set."""
    from anogan_lib import datasets

    data, folder = datasets.load(spec), quality.folder_of(spec, seed, out)
    detector, history = quality.default_detector(data, seed, folder / "checkpoint")
    train, held, numbers = data.train.images, data.validation.images, detector.gan.latent_dim
    mean = train.mean(axis=0)
    left = {
        name: {"trained on": share(mean, train, y), "new": share(mean, held, x), **where(mean, held, x)}
        for name, y, x in (
            ("G", reconstructed(detector, train), reconstructed(detector, held)),
            ("PCA", *(pca(train, images, numbers) for images in (train, held))),
        )
    }
    samples = detector.gan.sample(512)
    sheet(train, samples, out / "leftover" / f"{folder.name}.png")
    return {
        "numbers": numbers,
        "training_images": len(train),
        "left": left,
        "pca_by_training_images": by_count(train, held, numbers),
        "steps": steps(detector, data, pca(train, data.test.images, numbers)),
        "pixels": None if data.test.masks is None else by_blur(detector, train, data.test),
        "diversity": varied(samples) / varied(train),
        "at_chance": float(np.mean((np.array(history["d_real"]) + 1 - np.array(history["d_fake"])) / 2 < 0.6)),
    }


def varied(images: np.ndarray) -> float:
    """Mean |a - b| between pairs of images, drawn at random: neighbours in a folder may be alike."""
    shuffled = images[np.random.default_rng(0).permutation(len(images))]
    return float(np.abs(shuffled - np.roll(shuffled, 1, axis=0)).mean())


def reconstructed(detector, images: np.ndarray) -> np.ndarray:
    return detector.invert(images).reconstruction


def pca(train: np.ndarray, images: np.ndarray, numbers: int) -> np.ndarray:
    """Images (N, H, W, C) from their first principal components."""
    from sklearn.decomposition import PCA

    x = train.reshape(len(train), -1)
    found = PCA(min(numbers, len(x) - 1), svd_solver="randomized", random_state=0).fit(x)
    return found.inverse_transform(found.transform(images.reshape(len(images), -1))).reshape(images.shape)


def by_count(train: np.ndarray, held: np.ndarray, numbers: int) -> dict[int, float]:
    """The share that PCA leaves of new images, by the number of training images, drawn at random."""
    mean, shuffled = train.mean(axis=0), train[np.random.default_rng(0).permutation(len(train))]
    counts = [*(n for n in COUNTS if n < len(train)), len(train)]
    return {n: share(mean, held, pca(train if n == len(train) else shuffled[:n], held, numbers)) for n in counts}


def share(mean: np.ndarray, images: np.ndarray, y: np.ndarray, of=slice(None)) -> float | None:
    """The share of the variance about the mean image that y leaves of images, at some places.

    None where these places hold less than a thousandth of all variance, like the black border of a digit.
    """
    varied_by = np.square(images - mean)
    if varied_by[:, of].sum() < 1e-3 * varied_by.sum():
        return None
    return float(np.square(images - y)[:, of].sum() / varied_by[:, of].sum())


def where(mean: np.ndarray, images: np.ndarray, y: np.ndarray) -> dict:
    """What y leaves over of images by frequency, and at the places where the mean image is steepest and flattest."""
    spectra = [
        np.square(np.abs(np.fft.fft2(each, axes=(1, 2)))).sum(axis=(0, 3)) for each in (images - y, images - mean)
    ]
    sides = [np.fft.fftfreq(side, 1 / side) for side in mean.shape[:2]]
    frequency = np.hypot(*np.meshgrid(*sides, indexing="ij"))
    rings = [(low <= frequency) & (frequency < high) for low, high in pairwise(BANDS)]
    steep = np.hypot(*np.gradient(mean.mean(axis=-1)))
    places = {
        "steepest quarter": steep > np.quantile(steep, 0.75),
        "flattest quarter": steep <= np.quantile(steep, 0.25),
    }
    told = {name: share(mean, images, y, rows) for name, rows in places.items()}
    return told | {"by_frequency": [float(spectra[0][ring].sum() / spectra[1][ring].sum()) for ring in rings]}


def steps(detector, data, by_pca: np.ndarray) -> dict:
    """(image AUROC, pixel AUROC) of each step of the score, by the test labels; the second None without masks."""
    from anogan_lib.evaluation import baselines, metrics
    from anogan_lib.scores import local

    test, best = data.test, detector.scores["best"]
    found = detector.invert(test)
    x, y = found.images, found.reconstruction
    (residual, *blocks), maps = best.needs, detector.maps(found)

    def told(scores, maps=None) -> tuple:
        pixels = None if maps is None or test.masks is None else metrics.pixel_auroc(np.asarray(maps), test.masks)
        return metrics.auroc(test.labels, np.asarray(scores)), pixels

    def places(y) -> tuple:
        differences = [
            np.asarray(local.without_contrast(local.blur(each, local.SCORE_BLUR))) for each in (x, y.astype("float32"))
        ]
        sharp = np.abs(np.asarray(local.without_contrast(x)) - np.asarray(local.without_contrast(y.astype("float32"))))
        return best.largest(residual, differences[0] - differences[1]), baselines.smoothed(sharp.mean(axis=-1))

    def whole(y) -> tuple:
        return np.square(x - y).sum(axis=(1, 2, 3)), baselines.smoothed(np.abs(x - y).mean(axis=-1))

    def d_of(losses: dict) -> np.ndarray:
        return sum(np.asarray(best.standardise(name, losses[name])) for name in blocks)

    rows = {
        "whole image, PCA": told(*whole(by_pca)),
        "whole image, G(z)": told(*whole(y)),
        "16 places without contrast, PCA": told(*places(by_pca)),
        "16 places without contrast, G(z)": told(*places(y)),
        "R: the same, background filtered out": told(found.losses[residual], maps),
        "D: sum over the whole image": told(found.discrimination),
        "D: 8 cells of each block, background filtered out": told(d_of(found.losses)),
        "A(x): R and D": told(found.scores(), maps),
    }
    filtered, best.backgrounds = best.backgrounds, {}
    bare = detector.standardise(data.validation).invert(test).losses
    rows["D: 8 cells of each block"] = told(d_of(bare))
    best.backgrounds = filtered
    return rows


def by_blur(detector, train: np.ndarray, test) -> dict[str, dict]:
    """Pixel AUROC by how far maps are smoothed: the detector's, and PCA's with the best size by the masks."""
    from anogan_lib.evaluation import baselines, metrics
    from anogan_lib.scores import local

    found, told = detector.invert(test), {"G": {}, "PCA": {}}
    kinds = (baselines.pca_residuals(train, test.images, normalise=each) for each in (False, True))
    residuals = [maps for kind in kinds for _, _, maps in kind]
    for blur in BLURS:
        with mock.patch.object(local, "MAP_BLUR", blur / 64):
            maps = detector.scores["best"].maps(found.images, found.reconstruction)
        told["G"][blur] = metrics.pixel_auroc(np.asarray(maps), test.masks)
        smoothed = (baselines.smoothed(each, blur / 64) for each in residuals)
        told["PCA"][blur] = max(metrics.pixel_auroc(each, test.masks) for each in smoothed)
    return told


def sheet(train: np.ndarray, samples: np.ndarray, file: Path) -> None:
    """Write 64 training images beside 64 samples."""
    from anogan_lib.datasets.images import to_uint8

    def grid(images: np.ndarray) -> np.ndarray:
        rows = images[:64].reshape(8, 8, *images.shape[1:])
        return np.concatenate(np.concatenate(rows, axis=1), axis=1)

    chosen = train[np.random.default_rng(0).permutation(len(train))[:64]]
    gap = np.ones((8 * train.shape[1], 16, train.shape[3]), "float32")
    pixels = to_uint8(np.concatenate([grid(chosen), gap, grid(samples)], axis=1))
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.squeeze()).save(file)


# ---- what is told of it


def left_table(told: dict) -> str:
    """What is left over of new normal images: a row for each data set and kind of reconstruction."""
    bands = [f"{low} to {high}" if np.isfinite(high) else f"{low} and more" for low, high in pairwise(BANDS)]
    names = ["left over of normal images", "by", "training images", "new images"]
    names += [f"{band} cycles" for band in bands] + ["steep places", "flat places"]
    lines = [names]
    for spec, each in told.items():
        for name, left in each["left"].items():
            cells = [left["trained on"], left["new"], *left["by_frequency"]]
            cells += [left["steepest quarter"], left["flattest quarter"]]
            lines.append([title(spec), name, *("" if cell is None else f"{100 * cell:.0f} %" for cell in cells)])
    return quality.drawn(lines)


def steps_table(told: dict) -> str:
    """The steps of the score: a row for each, a column for each data set, pixel AUROC in brackets."""
    names = [
        "whole image, PCA",
        "whole image, G(z)",
        "16 places without contrast, PCA",
        "16 places without contrast, G(z)",
    ]
    names += ["R: the same, background filtered out", "D: sum over the whole image", "D: 8 cells of each block"]
    names += ["D: 8 cells of each block, background filtered out", "A(x): R and D"]
    lines = [["what is looked at", *map(title, told)]]
    for name in names:
        pairs = [each["steps"][name] for each in told.values()]
        lines.append([name, *(f"{image:.3f}" + (f" ({pixel:.3f})" if pixel else "") for image, pixel in pairs)])
    return quality.drawn(lines)


def blur_table(told: dict) -> str:
    """Pixel AUROC by how far maps are smoothed: a row for each data set with masks and kind of map."""
    lines = [["maps smoothed by, of 64 pixels a side", "map", *map(str, BLURS)]]
    for spec, each in told.items():
        for name, pixels in (each["pixels"] or {}).items():
            lines.append([title(spec), {"G": "detector"}.get(name, name), *(f"{pixels[str(b)]:.3f}" for b in BLURS)])
    return quality.drawn(lines)


def samples_table(told: dict) -> str:
    """How varied G's images are, and how long D was at chance: a row for each data set."""
    lines = [["G's images", "diversity, of the training images'", "epochs in which D tells fewer than 60 % apart"]]
    for spec, each in told.items():
        lines.append([title(spec), f"{each['diversity']:.2f}", f"{100 * each['at_chance']:.0f} %"])
    return quality.drawn(lines)


def title(spec: str) -> str:
    return quality.FOLDERS.get(spec, f"MNIST {spec[-1]}")


def draw(told: dict) -> None:
    """Draw, for each data set, what is left over by frequency (above) and by the number of training images (below)."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, len(told), figsize=(3 * len(told), 5), squeeze=False, layout="constrained")
    for (above, below), (spec, each) in zip(axes.T, told.items(), strict=True):
        for name, colour in (("G", "tab:blue"), ("PCA", "tab:gray")):
            left, width = each["left"][name], 0.4
            places = np.arange(len(BANDS) - 1) + (width if name == "PCA" else 0)
            above.bar(places, left["by_frequency"], width, color=colour, label=name)
            below.plot(each["training_images"], left["new"], "o", color=colour)
        counts = {int(n): value for n, value in each["pca_by_training_images"].items()}
        below.plot(*zip(*sorted(counts.items()), strict=True), color="tab:gray")
        above.set(
            title=title(spec), xticks=np.arange(len(BANDS) - 1) + 0.2, xlabel="cycles across the image", ylim=(0, None)
        )
        above.set_xticklabels([f"{low}-{high}" if np.isfinite(high) else f"{low}-" for low, high in pairwise(BANDS)])
        most = max(*counts.values(), *(left["new"] for left in each["left"].values()))
        below.set(xlabel="training images", xscale="log", ylim=(0, 1.1 * most))
        shown = sorted(counts)[:: 2 if len(counts) > 4 else 1]
        below.set_xticks(shown, map(str, shown))
        below.minorticks_off()
    axes[0, 0].set_ylabel("share left over")
    axes[1, 0].set_ylabel("share left over")
    axes[0, 0].legend()
    figure.savefig(FIGURE, dpi=100, metadata={"Comment": training.digest(told)})


def read(out: Path) -> dict[str, dict]:
    """Everything measured so far, by data set."""
    files = {spec: file_of(spec, out) for spec in SETS}
    return {spec: json.loads(file.read_text()) for spec, file in files.items() if file.is_file()}


def file_of(spec: str, out: Path) -> Path:
    return out / "leftover" / f"{spec.replace(':', '-')}.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SETS, default=SETS, metavar="DATA", help="these data sets alone")
    parser.add_argument("--seed", type=int, default=0, help="of the training")
    parser.add_argument("--jobs", type=int, default=1, help="data sets at a time, a core each")
    parser.add_argument("--out", type=Path, default=apart.ROOT / "results" / "bench")
    parser.add_argument("--measure", nargs=2, metavar=("DATA", "SEED"), help="one data set, in this process")
    args = parser.parse_args()
    if args.measure:
        spec, seed = args.measure[0], int(args.measure[1])
        apart.keep(file_of(spec, args.out), lambda: measure(spec, seed, args.out), seed=seed)
        return
    if KEPT.is_file():
        apart.go_on_with({file_of(spec, args.out): each for spec, each in json.loads(KEPT.read_text()).items()})
    missing = [(spec, args.seed) for spec in args.only if not file_of(spec, args.out).is_file()]
    failed = apart.run_each("tests.benchmarks.leftover", missing, args.out, args.jobs)
    told = read(args.out)
    KEPT.write_text(json.dumps(told, indent=1) + "\n")
    draw(told)
    for file in sorted((args.out / "leftover").glob("hazelnut-*.png"))[:1]:
        Image.open(file).quantize(256).save(SHEET, optimize=True)
    print(left_table(told), steps_table(told), blur_table(told), samples_table(told), sep="\n\n")
    if failed:
        sys.exit(f"not measured: {', '.join(spec for spec, _ in failed)}")


if __name__ == "__main__":
    main()
