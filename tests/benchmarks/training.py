"""How good is a detector after how many minutes of training: the default, beside what was the default before?

    python -m tests.benchmarks.training [--only hazelnut ...] [--seeds 0 1 2] [--jobs 1] [--out results/bench]

A task is a recipe, a data set, a seed and a part of the whole training. "new" is what `anogan train` does: an RpGAN,
then E and G until held-back images are explained no better. "before" is what it did up to version 0.2: the plain DCGAN
for 6,000 steps, then E and G for 4,000. Each task is trained from nothing in a process of its own and written to a file
in OUT/training/; what is there is not measured again, so stop the run whenever you like. Everything measured so far is
kept as tests/benchmarks/training.json, and another run goes on with it. Times are compared on one machine only: measure
both recipes of a data set in one run. MNIST and the pills need $ANOGAN_DATA.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from tests.benchmarks import apart

KEPT = Path(__file__).with_suffix(".json")
SETS = ("hazelnut", "mnist:8", "mvtec_pill")
PARTS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)
RECIPES = ("before", "new")
WITHIN = 0.005  # of the AUROC of a whole training before: as good


def measure(recipe: str, spec: str, seed: int, part: float) -> dict:
    """Train for a part of the whole, and give seconds, AUROC, and how diverse the samples of the GAN are."""
    from anogan_lib import DCGAN, AnoGAN, RpGAN, datasets
    from anogan_lib.evaluation import metrics
    from anogan_lib.fast.encoder import ADAPTED
    from anogan_lib.paper.dcgan import diversity

    data = datasets.load(spec)
    data.train.images, data.validation.images  # noqa: B018 - read before the clock starts
    per_epoch, started = len(data.train) // 32, time.perf_counter()
    kind = DCGAN if recipe == "before" else RpGAN
    gan = kind(data.image_shape, seed=seed)
    gan.train(data.train, epochs=max(1, round(part * gan.default_epochs(per_epoch))), verbose=False)
    detector = AnoGAN(gan, recipe="best", seed=seed)
    if recipe == "before":
        detector.fit_encoder(data.train, epochs=max(1, round(part * ADAPTED.steps / per_epoch)), verbose=False)
    else:
        detector.fit_encoder(data.train, data.validation, verbose=False)
    detector.standardise(data.validation)
    seconds = time.perf_counter() - started
    found, train = detector.invert(data.test), data.train.images
    train = train[np.random.default_rng(0).permutation(len(train))]
    told = {"auroc": metrics.auroc(data.test.labels, found.scores()), "training_seconds": round(seconds, 1)}
    if data.test.masks is not None:
        told["pixel_auroc"] = metrics.pixel_auroc(detector.scores.maps("best", found), data.test.masks)
    return told | {"diversity": float(diversity(gan.sample(512), train)), "seed": seed}


def file_of(task: tuple, out: Path) -> Path:
    recipe, spec, seed, part = task
    return out / "training" / f"{recipe}-{spec.replace(':', '-')}-{seed}-{round(16 * float(part))}.json"


def gather(out: Path) -> dict:
    """Everything measured so far: the tasks, and for each data set `time_ratio` where it can be told.

    That is the new recipe's time to the AUROC of a whole training before, less 0.005, over the time of that training;
    means over the seeds that both recipes were measured with.
    """
    tasks = {file.stem: json.loads(file.read_text()) for file in sorted((out / "training").glob("*.json"))}
    told: dict = {"command": "make bench-training", "time_ratio": {}, "tasks": tasks}
    for spec in SETS:
        curves = {recipe: curve(tasks, recipe, spec) for recipe in RECIPES}
        if 16 in curves["before"] and curves["new"]:
            seconds, auroc = curves["before"][16]
            enough = [s for s, reached in curves["new"].values() if reached >= auroc - WITHIN]
            told["time_ratio"][spec] = round(min(enough) / seconds, 3) if enough else None
    return told


def curve(tasks: dict, recipe: str, spec: str) -> dict[int, tuple[float, float]]:
    """{sixteenths of the whole training: (seconds, AUROC)}, means over the seeds."""
    found: dict[int, list] = {}
    for name, each in tasks.items():
        if name.startswith(f"{recipe}-{spec.replace(':', '-')}-"):
            found.setdefault(int(name.rsplit("-", 1)[1]), []).append((each["training_seconds"], each["auroc"]))
    return {part: tuple(np.mean(values, axis=0).tolist()) for part, values in sorted(found.items())}


def table(told: dict) -> str:
    """The table of the results page: minutes and image AUROC after each part of a training."""
    lines = ["| data | recipe | " + " | ".join(f"1/{round(1 / part)}" for part in PARTS[:-1]) + " | whole |"]
    lines.append("|---" * (len(PARTS) + 2) + "|")
    for spec in SETS:
        for recipe in RECIPES:
            found = curve(told["tasks"], recipe, spec)
            cells = [found.get(round(16 * part)) for part in PARTS]
            cells = ["" if cell is None else f"{cell[1]:.3f} ({cell[0] / 60:.1f} min)" for cell in cells]
            if any(cells):
                lines.append(f"| {spec} | {recipe} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SETS, default=SETS, metavar="DATA", help="these data sets alone")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="K")
    parser.add_argument("--parts", nargs="+", type=float, default=PARTS, metavar="P", help="of the whole training")
    parser.add_argument("--jobs", type=int, default=1, help="tasks at a time, a core each")
    parser.add_argument("--out", type=Path, default=apart.ROOT / "results" / "bench")
    parser.add_argument("--measure", nargs=4, metavar=("RECIPE", "DATA", "SEED", "PART"), help="one task, here")
    args = parser.parse_args()
    if args.measure:
        recipe, spec, seed, part = args.measure
        task = recipe, spec, int(seed), float(part)
        told = apart.keep(file_of(task, args.out), lambda: measure(*task))
        return print(f"{spec}, seed {seed}, {recipe}, {float(part):.3g} of the training: {told}", flush=True)
    if KEPT.is_file():
        kept = json.loads(KEPT.read_text())["tasks"]
        apart.go_on_with({args.out / "training" / f"{name}.json": each for name, each in kept.items()})
    tasks = [(r, spec, seed, part) for seed in args.seeds for spec in args.only for part in args.parts for r in RECIPES]
    missing = [task for task in tasks if not file_of(task, args.out).is_file()]
    failed = apart.run_each("tests.benchmarks.training", missing, args.out, args.jobs)
    told = gather(args.out)
    KEPT.write_text(json.dumps(told, indent=1))
    print(table(told), f"time_ratio: {told['time_ratio']}", sep="\n\n")
    if failed:
        sys.exit("\n".join(f"not measured: {task}" for task in failed))


if __name__ == "__main__":
    main()
