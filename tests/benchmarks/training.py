"""How good is a detector after how many minutes of training: the default recipe, beside that of version 0.2?

    python -m tests.benchmarks.training [--only hazelnut ...] [--seeds 0 1 2] [--jobs 1] [--out results/bench]

"new" is what `anogan train` does. "0.2" is what it did in version 0.2: a plain DCGAN for 6,000 steps, then E and G for
4,000, and the score of then. That version's own code does it, taken from commit 31e7eee of the repository's history and
unpacked into OUT/version-0.2. For each of 1/16, 1/8, 1/4, 1/2 and all of the default epochs, a detector is made as by
`anogan train --epochs`, and scores every test image.

Minutes are CPU time on one core, so that other work on the machine does not count. The GAN goes on from one part to the
next; E, G and everything after them are made anew for each. Every part is written to a file in OUT/training/, and what
is there is not measured again, so stop the run whenever you like. Everything measured so far is kept as
tests/benchmarks/training.json and drawn into the results page (`--draw` does that alone), and another run goes on with
it. MNIST and the pills need $ANOGAN_DATA.
"""

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np

from tests.benchmarks import apart

KEPT = Path(__file__).with_suffix(".json")
FIGURE = apart.ROOT / "img" / "training.png"
SETS = ("mnist:8", "hazelnut", "mvtec_pill")
PARTS = (1, 2, 4, 8, 16)  # sixteenths of the default epochs
RECIPES = ("0.2", "new")
VERSION_02 = "31e7eee"
WITHIN = 0.005  # of the AUROC that version 0.2 reaches in the end: as good


def unpack_version_02(out: Path) -> Path:
    """The folder with the code of version 0.2, taken from the history where it is not there yet."""
    place = out / "version-0.2"
    if not place.is_dir():
        words = ["git", "archive", VERSION_02, "anogan_lib", "data"]
        told = subprocess.run(words, cwd=apart.ROOT, capture_output=True)
        if told.returncode:
            sys.exit(f"{apart.ROOT} holds no history with commit {VERSION_02}: a whole clone is wanted.")
        unfinished = place.with_name("version-0.2.part")
        with tarfile.open(fileobj=io.BytesIO(told.stdout)) as archive:
            archive.extractall(unfinished, filter="data")
        unfinished.rename(place)
    return place


def measure(recipe: str, spec: str, seed: int, out: Path) -> None:
    """Train a GAN part by part; for each part that is not measured yet, make a detector and write its figures."""
    if recipe == "0.2":
        sys.path.insert(0, str(unpack_version_02(out)))
    import anogan_lib
    from anogan_lib import AnoGAN, datasets
    from anogan_lib.evaluation import metrics

    data = datasets.load(spec)
    for split in (data.train, data.validation, data.calibration, data.test):
        split.images  # noqa: B018 - read before the clock starts
    gan = (anogan_lib.DCGAN if recipe == "0.2" else anogan_lib.RpGAN)(data.image_shape, seed=seed)
    per_epoch = max(1, len(data.train) // 32)
    epochs = max(1, 6000 // per_epoch) if recipe == "0.2" else gan.default_epochs(per_epoch)
    clock = Clock(file_of((recipe, spec, seed), 16, out).with_suffix(""))
    for part in PARTS:
        some = max(1, round(part * epochs / 16))
        file = file_of((recipe, spec, seed), part, out)
        if file.is_file():
            continue
        clock.started = time.process_time()
        gan.train(data.train, some, checkpoint_dir=clock.place / "checkpoint", on_epoch=clock.note, verbose=False)
        started = time.process_time()
        detector = AnoGAN(gan, recipe="best", seed=seed).fit(data, verbose=False)
        fitted = time.process_time() - started
        found = detector.predict(data.test)
        told = {"auroc": metrics.auroc(data.test.labels, found.scores), "epochs": some, "steps": some * per_epoch}
        told |= {"gan_seconds": clock.seconds(some), "encoder_seconds": fitted}
        told |= {"diversity": diversity(gan.sample(512), data.train.images)}
        if data.test.masks is not None:
            told["pixel_auroc"] = metrics.pixel_auroc(found.maps, data.test.masks)
        told |= {"recipe": recipe, "data": spec, "seed": seed, "part": part}
        told["commit"] = VERSION_02 if recipe == "0.2" else apart.commit()
        file.write_text(json.dumps(told, indent=1))
        print(f"{spec}, seed {seed}, {recipe}, {part}/16 of the training: {told}", flush=True)


class Clock:
    """CPU seconds of each epoch of a GAN, kept beside its checkpoints, so that an interruption does not lose them."""

    def __init__(self, place: Path):
        self.place, self.file, self.started = place, place / "seconds.json", 0.0
        place.mkdir(parents=True, exist_ok=True)
        self.epochs = json.loads(self.file.read_text()) if self.file.is_file() else {}

    def note(self, gan, logs) -> None:
        now, name = time.process_time(), str(int(gan.epochs_done.numpy()))
        self.epochs[name] = max(now - self.started, self.epochs.get(name, 0.0))  # an epoch gone on with is a part of it
        self.started = now
        self.file.write_text(json.dumps(self.epochs))

    def seconds(self, epochs: int) -> float:
        return sum(self.epochs[str(i + 1)] for i in range(epochs))


def diversity(fake: np.ndarray, real: np.ndarray) -> float:
    """Mean |a - b| between generated images over the same between training images."""
    apart_by = [np.abs(x - np.roll(x, 1, axis=0)).mean() for x in (fake, real)]
    return float(apart_by[0] / apart_by[1])


def file_of(task: tuple, part: int, out: Path) -> Path:
    recipe, spec, seed = task
    return out / "training" / f"{recipe}-{spec.replace(':', '-')}-{seed}-{part}.json"


def gather(out: Path) -> dict:
    """Everything measured so far: the parts, and for each data set `time_ratio` where it can be told.

    That is the new recipe's time to the AUROC of all of version 0.2's training, less 0.005, over the time of all of
    that: means over the seeds that were measured whole with both recipes, whose number stands in `seeds`.
    """
    files = sorted((out / "training").glob("*.json"))
    told: dict = {"command": "make bench-training", "time_ratio": {}, "seeds": {}}
    told["parts"] = {file.stem: json.loads(file.read_text()) for file in files}
    for spec in SETS:
        if seeds := sorted(set.intersection(*(whole_seeds(told, recipe, spec) for recipe in RECIPES))):
            seconds, wanted = curve(told, "0.2", spec, seeds)[16]
            enough = [s for s, auroc in curve(told, "new", spec, seeds).values() if auroc >= wanted - WITHIN]
            told["time_ratio"][spec] = round(min(enough) / seconds, 3) if enough else None
            told["seeds"][spec] = len(seeds)
    return told


def whole_seeds(told: dict, recipe: str, spec: str) -> set[int]:
    """The seeds of which all parts are measured."""
    some = [each for each in told["parts"].values() if (each["recipe"], each["data"]) == (recipe, spec)]
    return {each["seed"] for each in some if {one["part"] for one in some if one["seed"] == each["seed"]} >= {*PARTS}}


def curve(told: dict, recipe: str, spec: str, seeds=()) -> dict[int, tuple[float, float]]:
    """{sixteenths of the training: (CPU seconds, AUROC)}, means over these seeds, else over all that were measured."""
    found: dict[int, list] = {}
    for each in told["parts"].values():
        if (each["recipe"], each["data"]) == (recipe, spec) and (not seeds or each["seed"] in seeds):
            found.setdefault(each["part"], []).append((each["gan_seconds"] + each["encoder_seconds"], each["auroc"]))
    return {part: tuple(np.mean(values, axis=0).tolist()) for part, values in sorted(found.items())}


def table(told: dict) -> str:
    """The table of the results page: image AUROC and minutes after each part of a training, means over the seeds."""
    names = (
        "trained on",
        "recipe",
        "seeds",
        "1/16",
        "1/8",
        "1/4",
        "1/2",
        "whole",
        "time to 0.2's AUROC, of 0.2's time",
    )
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for spec in SETS:
        for recipe in RECIPES:
            seeds = whole_seeds(told, recipe, spec)
            found = curve(told, recipe, spec, seeds)
            cells = [found.get(part) for part in PARTS]
            cells = ["" if cell is None else f"{cell[1]:.3f} ({cell[0] / 60:.1f} min)" for cell in cells]
            ratio = told["time_ratio"].get(spec, "") if recipe == "new" else ""
            lines.append(f"| {spec} | {recipe} | {len(seeds) or ''} | {' | '.join(cells)} | {ratio} |")
    return "\n".join(lines)


def draw(told: dict) -> None:
    """Draw the curves of the results page: a panel for each data set, thin lines for the seeds, their mean bold."""
    from matplotlib import pyplot as plt

    specs = [spec for spec in SETS if any(each["data"] == spec for each in told["parts"].values())]
    if not specs:
        return
    figure, panels = plt.subplots(1, len(specs), figsize=(4 * len(specs), 3.2), squeeze=False, layout="constrained")
    for panel, spec in zip(panels[0], specs, strict=True):
        for recipe, colour in zip(RECIPES, ("tab:gray", "tab:blue"), strict=True):
            seeds = {each["seed"] for each in told["parts"].values() if each["data"] == spec}
            for some, look in [(whole_seeds(told, recipe, spec), {"lw": 2, "label": recipe})] + [
                ({seed}, {"lw": 0.8, "alpha": 0.6}) for seed in seeds
            ]:
                points = list(curve(told, recipe, spec, some).values())
                panel.plot([s / 60 for s, _ in points], [auroc for _, auroc in points], "o-", ms=3, c=colour, **look)
        if spec in told["time_ratio"]:
            wanted = curve(told, "0.2", spec, whole_seeds(told, "0.2", spec))[16][1] - WITHIN
            panel.axhline(wanted, ls="--", lw=0.8, c="tab:gray")
        panel.set(title=spec, xlabel="CPU minutes", ylabel="image AUROC", xlim=(0, None))
        panel.legend()
    figure.savefig(FIGURE, dpi=100, metadata={"Comment": digest(told)})


def digest(told: dict) -> str:
    """What the figure says of the figures that it was drawn from."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SETS, default=SETS, metavar="DATA", help="these data sets alone")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="K")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time, a core each")
    parser.add_argument("--out", type=Path, default=apart.ROOT / "results" / "bench")
    parser.add_argument("--draw", action="store_true", help="measure nothing more: keep and draw what is measured")
    parser.add_argument("--measure", nargs=3, metavar=("RECIPE", "DATA", "SEED"), help="one training, here")
    args = parser.parse_args()
    if args.measure:
        recipe, spec, seed = args.measure
        return measure(recipe, spec, int(seed), args.out)
    if KEPT.is_file():
        kept = json.loads(KEPT.read_text())["parts"]
        apart.go_on_with({args.out / "training" / f"{name}.json": each for name, each in kept.items()})
    tasks = [(recipe, spec, seed) for seed in args.seeds for spec in args.only for recipe in RECIPES]
    missing = [task for task in tasks if not all(file_of(task, part, args.out).is_file() for part in PARTS)]
    failed = [] if args.draw else apart.run_each("tests.benchmarks.training", missing, args.out, args.jobs)
    told = gather(args.out)
    KEPT.write_text(json.dumps(told, indent=1) + "\n")
    draw(told)
    print(table(told), f"time_ratio: {told['time_ratio']}", sep="\n\n")
    if failed:
        sys.exit("\n".join(f"not measured whole: {task}" for task in failed))


if __name__ == "__main__":
    main()
