"""How well does the detector separate, beside honest baselines, on the same splits, in the same run?

    python -m tests.benchmarks.quality [--only mnist:8 ...] [--parts detector ...] [--jobs 2] [--out results/bench]

A task is one data set and one seed. Each of its parts (detector, gan, baselines, autoencoder, paper, f-anogan) is
measured in a process of its own and written to a file in OUT/quality/; what is there is not measured again, so stop the
run whenever you like, and remove that folder to begin anew. At the end everything measured so far goes into
OUT/quality.json and is kept as tests/benchmarks/quality.json. While parts of the kept run are missing, another run goes
on with it, here or on another machine; a whole one gives way to another whole one only. All but the built-in sets need
$ANOGAN_DATA. The part "version 0.2" is what that version's detector reached, with the training and the score of then.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from tests.benchmarks import apart

KEPT = Path(__file__).with_suffix(".json")
MNIST = [(f"mnist:{digit}", 0) for digit in range(10)]
FOLDERS = {
    "hazelnut": "rendered hazelnuts",
    "magnetic_tile": "magnetic tiles",
    "mvtec_pill": "MVTec AD's pills",
    "solar_elpv_poly": "solar cells",
    "digits:8": "scikit-learn's digit 8",
}
FIGURES = {"auroc": "", "pixel_auroc": ", pixels", "pro": ", PRO"}  # of images, of pixels, of regions
SEEDS = (0, 1, 2)
TASKS = [*MNIST, *((spec, 0) for spec in FOLDERS)]
TASKS += [(spec, seed) for seed in SEEDS[1:] for spec in (*FOLDERS, *(spec for spec, _ in MNIST))]
PAPER_IMAGES = 1000  # test images, drawn by class, that the search of the paper is made for: 500 steps each
HELD = slice(5, 10)  # digits for which nothing was tuned


def default_detector(data, seed: int, checkpoints: Path, **options):
    """The detector that `anogan train` makes by default, from scratch, and the history of its GAN.

    An interrupted training goes on from `checkpoints`; `options` are those of `AnoGAN.fit`.
    """
    from anogan_lib import AnoGAN, RpGAN

    gan = RpGAN(image_shape=data.image_shape, seed=seed)
    history = gan.train(data.train, checkpoint_dir=checkpoints, verbose=False)
    detector = AnoGAN(gan, recipe="best", seed=seed)
    return detector.fit(data, checkpoint_dir=checkpoints / "encoder", verbose=False, **options), history


# ---- the parts of a task: each takes the data set, a seed and the task's folder, and returns plain figures


def detector_part(spec: str, data, seed: int, folder: Path) -> dict:
    """The default detector on every test image."""
    started = time.perf_counter()
    detector, history = default_detector(data, seed, folder / "checkpoint")
    minutes = round((time.perf_counter() - started) / 60, 1)
    detector.save(folder / "detector")
    found = detector.predict(data.test)
    told = {"trained_steps": int(detector.gan.steps_done), "minutes": minutes, "diversity": history["diversity"][-1]}
    told |= {"left": min(detector.encoder_history["left"]), "moved": detector.encoder_history["moved"]}
    return figures(data.test, found.scores, found.maps) | told


def gan_part(spec: str, data, seed: int, folder: Path) -> dict:
    """A plain DCGAN, trained from scratch on the training images: for both papers' methods."""
    from anogan_lib import DCGAN

    gan = DCGAN(image_shape=data.image_shape, seed=seed)
    gan.train(data.train, checkpoint_dir=folder / "plain", verbose=False)
    gan.save(folder / "gan")
    return {"trained_steps": int(gan.steps_done)}


def trained_gan(spec: str, data, seed: int, folder: Path):
    """What `gan_part` left; made again where its figures came from another machine."""
    from anogan_lib import DCGAN

    if not (folder / "gan").is_dir():
        gan_part(spec, data, seed, folder)
    return DCGAN.load(folder / "gan")


def baselines_part(spec: str, data, seed: int, folder: Path) -> dict:
    """Nearest neighbours and PCA on raw and on unit-norm pixels.

    The best number of components is that by the test labels; maps are smoothed as the detector's are.
    """
    from anogan_lib.evaluation import baselines, metrics

    train, test = data.train.images, data.test.images
    found = {}
    for name, normalise in (("", False), (", unit norm", True)):
        found[f"3-NN{name}"] = figures(data.test, baselines.knn_scores(train, test, 3, normalise))
        residuals = baselines.pca_residuals(train, test, normalise=normalise)
        sizes = {n: (scores, maps) for n, scores, maps in residuals}
        best = max(sizes, key=lambda n: metrics.auroc(data.test.labels, sizes[n][0]))
        found[f"PCA{name}"] = figures(data.test, sizes[best][0]) | {"components": best}
        if data.test.masks is not None:
            smooth = {n: baselines.smoothed(maps) for n, (_, maps) in sizes.items()}
            pixels = {n: metrics.pixel_auroc(maps, data.test.masks) for n, maps in smooth.items()}
            size = max(pixels, key=pixels.get)
            found[f"PCA{name}"] |= {"pixel_auroc": pixels[size], "pixel_components": size}
            found[f"PCA{name}"]["pro"] = metrics.pro(smooth[size], data.test.masks)
    return {"rivals": found, "test_images": len(test)}


def autoencoder_part(spec: str, data, seed: int, folder: Path) -> dict:
    """A convolutional autoencoder of the generator's size, trained on squared differences for as many steps."""
    import keras

    from anogan_lib import DCGAN
    from anogan_lib.fast.encoder import build_encoder
    from anogan_lib.paper.networks import build_generator

    settings = DCGAN(image_shape=data.image_shape, seed=seed).settings
    keras.utils.set_random_seed(seed)
    encoder = build_encoder(data.image_shape, settings.latent_dim, settings.width)
    decoder = build_generator(data.image_shape, settings.latent_dim, settings.width)
    autoencoder = keras.Sequential([encoder, decoder])
    autoencoder.compile(keras.optimizers.Adam(1e-3), "mse", jit_compile=False)
    x = data.train.images
    autoencoder.fit(x, x, batch_size=32, epochs=max(1, 6000 // max(1, len(x) // 32)), verbose=0)
    squares = (autoencoder.predict(data.test.images, verbose=0) - data.test.images) ** 2
    return figures(data.test, squares.sum(axis=(1, 2, 3)), np.sqrt(squares.mean(axis=-1)))


def paper_part(spec: str, data, seed: int, folder: Path) -> dict:
    """AnoGAN as published: 500 steps from a random start, lambda 0.1, raw sums."""
    from anogan_lib import AnoGAN
    from anogan_lib.paper import search

    detector = AnoGAN(trained_gan(spec, data, seed, folder), seed=seed)
    chosen = by_class(data.test, PAPER_IMAGES, seed)
    found = detector.invert(chosen, steps=search.PAPER.steps, step_size=search.PAPER.step_size)
    return figures(chosen, found.scores(), found.maps())


def f_anogan_part(spec: str, data, seed: int, folder: Path) -> dict:
    """f-AnoGAN as published but for its GAN, which is the plain DCGAN: izi_f on real images, G frozen, mean squares."""
    from anogan_lib import AnoGAN

    detector = AnoGAN(trained_gan(spec, data, seed, folder), recipe="f-anogan", seed=seed).fit(data, verbose=False)
    found = detector.predict(data.test)
    return figures(data.test, found.scores, found.maps)


PARTS = {
    "detector": detector_part,
    "baselines": baselines_part,
    "gan": gan_part,
    "autoencoder": autoencoder_part,
    "paper": paper_part,
    "f-anogan": f_anogan_part,
}
BEFORE = "version 0.2"  # a part that is kept, and not measured any more


def figures(split, scores: np.ndarray, maps=None, intervals: bool = True) -> dict:
    """AUROC with its interval; where there are masks and maps, pixel AUROC and PRO; AUROC of each kind of defect."""
    from anogan_lib.evaluation import metrics

    labels, kinds = split.labels, split.kinds
    found: dict = {"auroc": metrics.auroc(labels, scores), "test_images": len(labels)}
    if intervals:
        found["interval"] = metrics.bootstrap_interval(metrics.auroc, labels, scores)
    if maps is not None and split.masks is not None:
        found["pixel_auroc"] = metrics.pixel_auroc(maps, split.masks)
        if intervals:
            found["pro"] = metrics.pro(maps, split.masks)
    if intervals and kinds is not None:
        good = labels == 0
        each = {str(kind): good | (kinds == kind) for kind in sorted(set(kinds[labels == 1]))}
        found["auroc_by_kind"] = {kind: metrics.auroc(labels[rows], scores[rows]) for kind, rows in each.items()}
    return found


def by_class(split, count: int, seed: int):
    """At most `count` images, as many of each kind as there are in proportion."""
    if len(split) <= count:
        return split
    random, kinds = np.random.default_rng(seed), split.kinds
    places = [random.permutation(np.flatnonzero(kinds == kind)) for kind in sorted(set(kinds))]
    return split[np.sort(np.concatenate([rows[: round(count * len(rows) / len(split))] for rows in places]))]


# ---- tasks


def folder_of(spec: str, seed: int, out: Path) -> Path:
    return out / "quality" / f"{spec.replace(':', '-')}-{seed}"


def wanted(seed: int) -> list[str]:
    """Further seeds are for the detector alone."""
    return ["detector"] if seed else list(PARTS)


def measure(part: str, spec: str, seed: int, out: Path) -> None:
    """One part of a task, written where `gather` finds it."""
    from anogan_lib import datasets

    folder = folder_of(spec, seed, out)
    told = apart.keep(folder / f"{part}.json", lambda: PARTS[part](spec, datasets.load(spec), seed, folder), seed=seed)
    print(f"{spec}, seed {seed}: {part} in {told['seconds']:.0f} s", flush=True)


def read(spec: str, seed: int, out: Path) -> dict[str, dict]:
    """The parts of a task that have been measured."""
    folder = folder_of(spec, seed, out)
    files = {name: folder / f"{name}.json" for name in (*PARTS, BEFORE)}
    return {name: json.loads(path.read_text()) for name, path in files.items() if path.is_file()}


def missing(out: Path) -> list[tuple[str, str, int]]:
    """(part, data set, seed) of everything that is still to be measured."""
    return [
        (part, *task) for part in PARTS for task in TASKS if part in wanted(task[1]) and part not in read(*task, out)
    ]


def go_on_with(kept: dict, out: Path) -> None:
    """Parts that an unfinished run has measured, as if they had been measured here."""
    apart.go_on_with(
        {out / "quality" / task / f"{part}.json": told for task, p in kept["parts"].items() for part, told in p.items()}
    )


def gather(out: Path, command: str) -> dict:
    """One dictionary of everything measured so far; what is not there yet is None."""
    told = {"command": command, "whole": not missing(out)}
    digits = [read(spec, seed, out) for spec, seed in MNIST]
    if any(digits):
        own = column(digits, "detector")
        told["mnist"] = {
            "mean_auroc": mean(own),
            "held_mean_auroc": mean(own[HELD]),
            "per_digit": own,
            **{f"{name}_per_digit": column(digits, "baselines", rival) for name, rival in RIVALS.items()},
            "autoencoder_per_digit": column(digits, "autoencoder"),
            "paper_per_digit": column(digits, "paper"),
            "f_anogan_per_digit": column(digits, "f-anogan"),
            "before_per_digit": column(digits, BEFORE),
            "paper_intervals": column(digits, "paper", key="interval"),
            "per_digit_by_seed": {str(digit): by_seed(f"mnist:{digit}", out) for digit in range(10)},
            **about(digits, list(SEEDS)),
        }
    for spec in FOLDERS:
        if parts := read(spec, 0, out):
            rivals = parts.get("baselines", {"rivals": {}})["rivals"]
            rivals |= {name: parts[name] for name in (*OTHERS, BEFORE) if name in parts}
            own = parts.get("detector", {}) | {"by_seed": by_seed(spec, out)}
            told[spec.split(":")[0]] = own | {"baselines": rivals} | about([parts], [0])
    told["parts"] = {folder_of(*task, out).name: parts for task in TASKS if (parts := read(*task, out))}
    return told


OTHERS = ("autoencoder", "paper", "f-anogan")
RIVALS = {
    "knn": "3-NN",
    "knn_unit_norm": "3-NN, unit norm",
    "pca": "PCA",
    "pca_unit_norm": "PCA, unit norm",
}


def column(tasks: list[dict], part: str, rival: str | None = None, key: str = "auroc") -> list:
    """One figure of each task."""
    found = [task.get(part, {}) for task in tasks]
    if rival:
        found = [each.get("rivals", {}).get(rival, {}) for each in found]
    return [each.get(key) for each in found]


def by_seed(spec: str, out: Path) -> list[float | None]:
    """The detector's AUROC with each seed."""
    return [read(spec, seed, out).get("detector", {}).get("auroc") for seed in SEEDS]


def mean(values: list) -> float | None:
    return None if None in values else float(np.mean(values))


def about(tasks: list[dict], seeds: list[int]) -> dict:
    """Where the figures come from."""
    parts = [part for task in tasks for part in task.values()]
    return {
        "commit": sorted({part["commit"] for part in parts}),
        "seed": seeds if len(seeds) > 1 else seeds[0],
        "test_images": max(part.get("test_images", 0) for part in parts),
        "seconds": round(sum(part["seconds"] for part in parts)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="DATA", help="these data sets alone, for example mnist:8")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="these parts alone")
    parser.add_argument("--jobs", type=int, default=2, help="tasks at a time, a core each")
    parser.add_argument("--out", type=Path, default=apart.ROOT / "results" / "bench")
    parser.add_argument("--measure", nargs=3, metavar=("PART", "DATA", "SEED"), help="one part, in this process")
    args = parser.parse_args()
    if args.measure:
        part, spec, seed = args.measure
        return measure(part, spec, int(seed), args.out)
    chosen = [task for task in TASKS if not args.only or task[0] in args.only]
    if not chosen:
        parser.error(f"--only names one of {', '.join(sorted({spec for spec, _ in TASKS}))}")
    kept = json.loads(KEPT.read_text()) if KEPT.is_file() else {"whole": False, "parts": {}}
    if not kept["whole"]:
        go_on_with(kept, args.out)
    steps = [step for step in missing(args.out) if step[0] in args.parts and step[1:] in chosen]
    failed = apart.run_each("tests.benchmarks.quality", steps, args.out, args.jobs)
    told = gather(args.out, "make quality")
    (args.out / "quality.json").write_text(json.dumps(told, indent=1))
    if told["whole"] or not kept["whole"]:
        KEPT.write_text(json.dumps(told, indent=1))
    print(table(told), summary(told), sep="\n\n")
    if failed:
        sys.exit("\n".join(f"not measured: {part} of {spec}, seed {seed}" for part, spec, seed in failed))


def table(told: dict) -> str:
    """The table of the results page: a row for each data set, a column for each method."""
    methods = ("detector", BEFORE, *RIVALS.values(), "autoencoder", "AnoGAN", "f-AnoGAN")
    lines = [["normal images", *methods]]

    def row(name: str, own: float | None, others: list) -> None:
        best = max(value for value in (own, *others[1:]) if value is not None)
        cells = [
            "" if value is None else f"**{value:.3f}**" if value == best and own is not None else f"{value:.3f}"
            for value in (own, *others)
        ]
        lines.append([name, *cells])

    if "mnist" in told:
        digits = told["mnist"]
        names = ("before", *RIVALS, "autoencoder", "paper", "f_anogan")
        own, others = digits["per_digit"], [digits[f"{name}_per_digit"] for name in names]
        for digit in range(10):
            row(f"MNIST {digit}", own[digit], [each[digit] for each in others])
        row("MNIST, mean of ten", mean(own), [mean(each) for each in others])
        row("MNIST, mean of 5 to 9", mean(own[HELD]), [mean(each[HELD]) for each in others])
    for figure, suffix in FIGURES.items():
        for spec, title in FOLDERS.items():
            found = told.get(spec.split(":")[0], {"baselines": {}})
            others = [found["baselines"].get(rival, {}).get(figure) for rival in (BEFORE, *RIVALS.values(), *OTHERS)]
            if any(value is not None for value in others):
                row(title + suffix, found.get(figure), others)
    return drawn(lines)


def seeds_table(told: dict) -> str:
    """The detector trained from other seeds: a row for each data set that has been measured more than once."""
    lines = [["the detector", *(f"seed {seed}" for seed in SEEDS), "mean", "range"]]
    titles = {spec: f"MNIST {digit}" for digit, (spec, _) in enumerate(MNIST)} | FOLDERS
    for figure, suffix in FIGURES.items():
        for spec, title in titles.items():
            values = [each.get(figure) for each in of_seeds(told, spec)]
            known = [value for value in values if value is not None]
            if len(known) > 1:
                apart_by = max(known) - min(known)
                cells = ["" if value is None else f"{value:.3f}" for value in (*values, np.mean(known), apart_by)]
                lines.append([title + suffix, *cells])
    return drawn(lines)


AIMS = {"mvtec_pill": 0.86, "solar_elpv_poly": 0.77, "magnetic_tile": 0.80, "hazelnut": 0.955}


def aims_table(told: dict) -> str:
    """What was aimed at and what was reached: means over the seeds, and the best simple rival."""
    lines = [["what was aimed at", "aim", "reached", "best simple rival", "ahead"]]

    def row(title: str, aim: str, own: float, rivals: dict[str, float]) -> None:
        best = max(rivals, key=rivals.get)
        lines.append([title, aim, f"{own:.4f}", f"{rivals[best]:.4f} ({best})", f"{own - rivals[best]:+.4f}"])

    digits = [over_seeds(told, spec)["auroc"] for spec, _ in MNIST]
    unit = told["mnist"]["knn_unit_norm_per_digit"]
    row("MNIST, mean of ten", "0.984", mean(digits), {"3-NN, unit norm": mean(unit)})
    least = min(range(10), key=lambda digit: digits[digit] - unit[digit])
    row(f"MNIST, the digit least ahead: {least}", "above 3-NN", digits[least], {"3-NN, unit norm": unit[least]})
    for spec, aim in AIMS.items():
        known = {n: each for n, each in told[spec]["baselines"].items() if n in RIVALS.values()}
        rivals = {n: each["auroc"] for n, each in known.items()}
        row(FOLDERS[spec], f"{aim:g}", over_seeds(told, spec)["auroc"], rivals)
        if pixels := {n: each["pixel_auroc"] for n, each in known.items() if "pixel_auroc" in each}:
            own = float(np.mean([each["pixel_auroc"] for each in filter(None, of_seeds(told, spec))]))
            row(f"{FOLDERS[spec]}, pixels", "above every rival", own, pixels)
    return drawn(lines)


def summary(told: dict) -> str:
    """The README's table: what was measured, with intervals; the detector's figures are means over its seeds."""

    def cell(found: dict) -> str:
        known = f"{found['auroc']:.3f}" if "auroc" in found else "-"
        return known + (" [{:.2f}, {:.2f}]".format(*found["interval"]) if "interval" in found else "")

    lines = [["image AUROC", "AnoGAN as published", "f-AnoGAN", "this", "best simple rival"]]
    digits = told["mnist"]
    measured = [digit for digit, value in enumerate(digits["per_digit"]) if value is not None]
    title = "one-class MNIST, mean of ten" if len(measured) == 10 else f"MNIST, an {measured[-1]} is normal"
    columns = [digits[f"{name}_per_digit"] for name in ("paper", "f_anogan", *RIVALS)]
    *papers, knn, knn_unit, pca, pca_unit = [mean([each[digit] for digit in measured]) for each in columns]
    rivals = dict(zip(RIVALS.values(), (knn, knn_unit, pca, pca_unit), strict=True))
    best = max(rivals, key=rivals.get)
    own = mean([over_seeds(told, f"mnist:{digit}")["auroc"] for digit in measured])
    cells = ["-" if value is None else f"{value:.3f}" for value in (*papers, own)]
    lines.append([title, *cells, f"{rivals[best]:.3f} ({best})"])
    for name in ("hazelnut", "mvtec_pill", "solar_elpv_poly", "magnetic_tile"):
        known = {n: each for n, each in told[name]["baselines"].items() if n in RIVALS.values()}
        best = max(known, key=lambda rival: known[rival]["auroc"])
        papers = [cell(told[name]["baselines"].get(part, {})) for part in ("paper", "f-anogan")]
        lines.append([FOLDERS[name], *papers, cell(over_seeds(told, name)), f"{cell(known[best])} ({best})"])
    return drawn(lines)


def of_seeds(told: dict, spec: str) -> list[dict]:
    """The detector's figures with each seed; {} where it has not been measured."""
    return [told["parts"].get(folder_of(spec, seed, Path()).name, {}).get("detector", {}) for seed in SEEDS]


def over_seeds(told: dict, spec: str) -> dict:
    """The detector's AUROC and the ends of its interval, means over the seeds that have been measured."""
    found = list(filter(None, of_seeds(told, spec)))
    return {name: np.mean([each[name] for each in found], axis=0) for name in ("auroc", "interval")}


def drawn(lines: list[list[str]]) -> str:
    """Draw a table in Markdown, without the columns in which nothing has been measured yet."""
    shown = [i for i in range(len(lines[0])) if any(line[i] not in ("", "-") for line in lines[1:])]
    lines = [[line[i] for i in shown] for line in lines]
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([rows[0], "|---" * len(shown) + "|", *rows[1:]])


if __name__ == "__main__":
    main()
