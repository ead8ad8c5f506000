"""What does a training step cost for images of any shape: seconds, memory, parameters?

    python -m tests.benchmarks.shapes [--jobs 1] [--out results/bench]

A task is a shape and a batch size, and is measured in a process of its own, on one core, in CPU seconds: other work on
the machine does not count. Each is written to a file in OUT/shapes/, and what is there is not measured again. All of it
is kept as tests/benchmarks/shapes.json, from which the two tables of the results page come.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.benchmarks import apart

KEPT = Path(__file__).with_suffix(".json")
SHAPES = ("28x28x1", "64x64x3", "96x128x3", "33x47x3", "256x256x1")
TASKS = [(shape, 32) for shape in SHAPES] + [("256x256x1", 4)]  # 4: what one of eight workers or more has of a batch
STEPS = 3  # measured, after one that also builds the graph
IMAGES = 10**6  # of the table on paper
NETWORK = 1.25e9  # bytes a second between workers, 10 Gbit/s


def measure(shape: str, batch: int) -> dict:
    """Train a GAN and an encoder of the default width for a few steps, then score; give CPU seconds and memory."""
    from anogan_lib import AnoGAN, RpGAN
    from anogan_lib.datasets.images import look, read_image
    from anogan_lib.fast.encoder import ADAPTED, EncoderTraining

    image_shape = tuple(map(int, shape.split("x")))
    images = np.random.default_rng(0).uniform(-1, 1, (batch, *image_shape)).astype("float32")
    before, told = memory(), {}
    gan = RpGAN(image_shape)
    gan.learn_units(images)
    told["gan_seconds"] = seconds(lambda: gan.train_step(images))
    told["gan_megabytes"] = memory() - before
    training = EncoderTraining(gan, True, True, False, ADAPTED.steps, ADAPTED.kappa, ADAPTED.learning_rate)
    told["encoder_seconds"] = seconds(lambda: training.step(images))
    told["megabytes"] = memory()
    detector = AnoGAN(gan, recipe="best")
    detector.adopt(training.averaged["generator"], training.averaged["encoder"])
    told["score_seconds"] = seconds(lambda: detector.invert(images)) / batch
    with tempfile.TemporaryDirectory() as folder:
        file = write_image(Path(folder) / "image.png", image_shape)
        told["look_seconds"] = seconds(lambda: (look(file), file.read_bytes()))
        told["read_seconds"] = seconds(lambda: read_image(file, image_shape))
    networks = {"generator": gan.generator, "discriminator": gan.discriminator, "encoder": training.learning["encoder"]}
    told["parameters"] = {name: network.count_params() for name, network in networks.items()}
    return told | {"shape": shape, "batch": batch}


def seconds(step) -> float:
    step()
    started = time.process_time()
    for _ in range(STEPS):
        step()
    return (time.process_time() - started) / STEPS


def memory() -> int:
    """The most memory that this process has had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def write_image(file: Path, image_shape: tuple[int, ...]) -> Path:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, image_shape, "uint8")
    Image.fromarray(pixels[..., 0] if image_shape[2] == 1 else pixels).save(file)
    return file


def file_of(task: tuple, out: Path) -> Path:
    return out / "shapes" / f"{task[0]}-{task[1]}.json"


def table(told: dict) -> str:
    """What a step costs, by shape, as Markdown."""
    rows = [
        "| image | GAN, s/step | encoder, s/step | memory, MB | parameters of G / D / E |",
        "|---|---|---|---|---|",
    ]
    for shape, batch in TASKS:
        if batch == 32 and (one := told.get(f"{shape}-{batch}")):
            counts = " / ".join(f"{count:,}" for count in one["parameters"].values())
            times = f"{one['gan_seconds']:.2f} | {one['encoder_seconds']:.2f}"
            rows.append(f"| {shape} | {times} | {one['megabytes']:,} | {counts} |")
    return "\n".join(rows)


def paper_table(told: dict) -> str:
    """What a million images of 256x256 cost on 1, 8 and 64 workers, derived from the measured steps, as Markdown."""
    names = ("workers, a core each", "joint batch", "steps", "GAN, h", "encoder, h", "looking at all files, h")
    names += ("scoring, h", "memory of a worker, MB")
    rows = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    for workers in (1, 8, 64):
        one = told[f"256x256x1-{32 if workers == 1 else 4}"]
        joint = 32 if workers == 1 else 4 * workers
        steps, parts = IMAGES // joint, one["parameters"]
        exchanged = {
            "gan": parts["generator"] + parts["discriminator"],
            "encoder": parts["encoder"] + parts["generator"],
        }
        each = joint / workers * one["read_seconds"]
        hours = [
            steps * (one[f"{name}_seconds"] + each + (workers > 1) * 2 * 4 * count / NETWORK) / 3600
            for name, count in exchanged.items()
        ]
        hours += [
            IMAGES * one["look_seconds"] / 3600,
            IMAGES * (one["score_seconds"] + one["read_seconds"]) / workers / 3600,
        ]
        times = " | ".join(f"{each:.1f}" for each in hours)
        rows.append(f"| {workers} | {joint} | {steps:,} | {times} | {one['megabytes']:,} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--jobs", type=int, default=1, help="tasks at a time, a core each")
    parser.add_argument("--out", type=Path, default=apart.ROOT / "results" / "bench")
    parser.add_argument("--measure", nargs=2, metavar=("SHAPE", "BATCH"), help="one task, here")
    args = parser.parse_args()
    if args.measure:
        task = args.measure[0], int(args.measure[1])
        return print(apart.keep(file_of(task, args.out), lambda: measure(*task)), flush=True)
    if KEPT.is_file():
        apart.go_on_with(
            {args.out / "shapes" / f"{name}.json": each for name, each in json.loads(KEPT.read_text()).items()}
        )
    missing = [task for task in TASKS if not file_of(task, args.out).is_file()]
    failed = apart.run_each("tests.benchmarks.shapes", missing, args.out, args.jobs)
    told = {
        f"{shape}-{batch}": json.loads(file_of((shape, batch), args.out).read_text())
        for shape, batch in TASKS
        if file_of((shape, batch), args.out).is_file()
    }
    KEPT.write_text(json.dumps(told, indent=1) + "\n")
    print(table(told))
    if failed:
        sys.exit("\n".join(f"not measured: {task}" for task in failed))
    print("", paper_table(told), sep="\n")


if __name__ == "__main__":
    main()
