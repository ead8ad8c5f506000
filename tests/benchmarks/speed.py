"""How fast is the search for z? Side by side, in one run, with the same networks, images, starts and loss.

    python -m tests.benchmarks.speed [--images 4] [--repeats 3] [--files 20000] [--out results/bench/speed.json]

Measured are networks of the usual width (textbook.py), trained once on the shipped hazelnuts and kept, and then the
ready detectors' own. A search's time is that in which *every* image reaches a loss no higher than the textbook loop
ends with on it, or, "near", one within half a percent of it. Of several numbers of steps and restarts the quickest that
reaches it is reported. The textbook loop runs whole once for each image; its further repetitions, whose steps all cost
the same, are a fifth as long. On the ready networks its losses are those of the plain loop, which makes the same steps.
"""

import argparse
import contextlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import chain
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from anogan_lib import AnoGAN, datasets, saving
from anogan_lib.datasets.base import epoch_batches
from anogan_lib.export import write as write_exported
from anogan_lib.fast.encoder import train_encoder
from tests.benchmarks import textbook
from tests.benchmarks.apart import ROOT
from tests.benchmarks.quality import drawn

OUT = ROOT / "results" / "bench" / "speed.json"
KEPT = Path(__file__).with_name("speed.json")
LAM = 0.1
TRAINING_STEPS, BATCH = 1200, 8
NEAR = 0.005  # "near" is a loss that is higher by no more than this share
STEPS, MOST_STARTS = (100, 150, 200, 300, 75, 60, 50, 40, 30, 25, 20, 15, 10, 5), 8  # tried, in this order
MOST_STEPS = 600  # of all starts that are made one after the other


def seconds(run) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def repeated(run, times: int) -> list[float]:
    return [seconds(run) for _ in range(times)]


def summary(values) -> dict:
    return {"median": float(np.median(values)), "least": float(np.min(values)), "most": float(np.max(values))}


# ---- networks and machine


def usual_detector(folder: Path, data) -> AnoGAN:
    """A detector of the usual networks with an encoder, trained here where `folder` does not hold them yet."""
    gan, encoder = textbook.build_gan(), folder / "encoder.keras"
    epochs = -(-TRAINING_STEPS // (len(data.train) // BATCH))
    if not (folder / "dcgan.json").is_file():
        gan.train(data.train, epochs=epochs, batch_size=BATCH, checkpoint_dir=folder / "checkpoint")
        gan.save(folder)
    gan.averaged.load_weights(folder / "generator.keras")
    gan.discriminator.load_weights(folder / "discriminator.keras")
    detector = AnoGAN(gan, lam=LAM)
    if not encoder.is_file():
        trained, *_ = train_encoder(gan, data.train, adapt=False, patches=False, epochs=epochs, batch_size=BATCH)
        trained.save(encoder)
    detector.adopt(gan.averaged, keras.models.load_model(encoder, compile=False))
    return detector


def processor() -> str:
    """The processor's name (Linux), and which of the matrix units that TensorFlow can use it has."""
    file = Path("/proc/cpuinfo")
    lines = dict(line.split(":", 1) for line in file.read_text().splitlines() if ":" in line) if file.is_file() else {}
    found = {name.strip(): value.strip() for name, value in lines.items()}
    units = [unit for unit in ("avx512f", "avx512_bf16", "amx_tile") if unit in found.get("flags", "").split()]
    return ", ".join([found.get("model name", platform.machine()), *units])


def peak_flops(dtype, size: int = 2048) -> float:
    """Best of ten matrix products, in operations a second."""
    a = tf.cast(tf.random.stateless_normal((size, size), (0, 0)), dtype)
    product = tf.function(lambda a: tf.reduce_sum(tf.matmul(a, a)), jit_compile=False)
    return 2 * size**3 / min(repeated(lambda: product(a).numpy(), 10))


class PeakMemory:
    """`with PeakMemory() as memory: ...`; then memory.mb is the most this process held (Linux; else None)."""

    def __enter__(self):
        self._clear()
        return self

    def __exit__(self, *_):
        status = Path("/proc/self/status")
        lines = status.read_text().splitlines() if status.is_file() else []
        self.mb = next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), None)

    @staticmethod
    def _clear() -> None:
        with contextlib.suppress(OSError):  # not Linux: there is no peak
            Path("/proc/self/clear_refs").write_text("5")


# ---- the searches, against each other


def against_the_loops(detector, images, repeats: int, whole: bool) -> dict:
    """Every search on the same images. Times in milliseconds an image, spreads over the repetitions."""
    search, count = detector.search, len(images)
    z = search.start(images[:1], 0, detector.seed)
    losses, times, memories, said = {}, {}, {}, {}

    def loop(kind, steps: int = textbook.STEPS) -> list[float]:
        return [kind.run(x[None], z, steps) for x in images]

    def invert(init: str, steps: int | None, restarts: int = 1, **options) -> list[float]:
        options |= {"lam": LAM, "score": "paper", "init": init}
        return detector.invert(images, steps=steps, restarts=restarts, **options).scores().tolist()

    with PeakMemory() as memories["plain_loop"]:
        plain = textbook.PlainSearch(search, (1 - LAM, LAM))
        losses["plain_loop"] = loop(plain, 3) and loop(plain)
        times["plain_loop"] = repeated(lambda: loop(plain), repeats)
    with PeakMemory() as memories["textbook"]:
        book = textbook.TextbookSearch(search, (1 - LAM, LAM))
        loop(book, 3)
        first = [seconds(lambda: losses.update(textbook=loop(book)))] if whole else []
        part = repeated(lambda: loop(book, textbook.STEPS // 5), repeats - len(first))
        times["textbook"] = first + [5 * each for each in part]
    target = np.array(losses.setdefault("textbook", losses["plain_loop"]))
    said["set_up_ms"] = 1000 * seconds(lambda: invert("random", 1))  # the graphs, once for each network
    with PeakMemory() as memories["invert"]:
        for init in ("random", "encoder"):
            for name, tolerance in ((f"{init}_start_near", NEAR), (f"{init}_start", 0.0)):
                goal = (1 + tolerance) * target
                race = partial(invert, init)
                plan, losses[name], reached = quickest(race, goal)
                said[f"{name}_steps_and_starts"], said[f"{name}_reached"] = plan, reached
                said[f"{name}_excess"] = float((losses[name] / target).max() - 1)
                # What never got there is timed once.
                times[name] = repeated(partial(race, *plan), repeats if reached else 1)
        losses["default"], losses["encoder_only"] = invert("random", None), invert("encoder", 0)
        times["default"] = repeated(lambda: invert("random", None), repeats)
        times["encoder_only"] = repeated(lambda: invert("encoder", 0), 5 * repeats)
    spread = {name: summary(1000 * np.array(values) / count) for name, values in times.items()}
    ms = {name: each["median"] for name, each in spread.items()}
    said |= {f"{name}_ms": ms[name] for name in ms}
    said |= {f"{name}_ratio": ms["textbook"] / ms[name] for name in ms}
    said |= {f"{name}_ratio_plain": ms["plain_loop"] / ms[name] for name in ("random_start", "random_start_near")}
    said |= {"peak_memory_mb": {name: each.mb for name, each in memories.items()}}
    return said | {"losses": losses, "spread_ms": spread, "lanes": detector.ways.lanes["random"].lanes}


def quickest(invert, goal) -> tuple[tuple[int, int], list[float], bool]:
    """(steps, most starts), losses and whether they reach their goals, of the search that is there in the least time.

    Where none is, of the one that misses them least.
    """
    invert(2)  # the graphs
    step, tried = min(repeated(lambda: invert(10), 3)) / 10, []
    least = MOST_STEPS * step
    for steps in STEPS:
        starts = int(min(MOST_STARTS, least / (step * steps)))  # more would take longer than the best so far
        if starts:
            begun = time.perf_counter()
            found = invert(steps, starts)
            spent, excess = time.perf_counter() - begun, float((found / goal).max() - 1)
            there = excess < 1e-6  # but for rounding
            least = min(least, spent) if there else least
            tried.append((not there, spent if there else excess, (steps, starts), found))
    missed, _, plan, found = min(tried)
    return plan, found, not missed


# ---- where the time goes


def layers_with_kernel(*networks) -> list:
    return [layer for network in networks for layer in network.layers if getattr(layer, "kernel", None) is not None]


def flops(layer) -> int:
    """Multiplications and additions of one image's forward pass."""
    rows = layer.input.shape if "Transpose" in type(layer).__name__ else layer.output.shape
    return 2 * int(np.prod(layer.kernel.shape)) * int(np.prod(rows[1:-1]))


def time_layer(layer, count: int, weights: bool) -> tuple[float, float]:
    """Seconds forward, and seconds of the gradients: of the input, with `weights` of the kernel too."""
    x = tf.random.stateless_normal((count, *layer.input.shape[1:]), (1, 1))

    def backward(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x) ** 2)
        return tape.gradient(loss, [x, layer.kernel.value] if weights else [x])

    def best(run) -> float:
        graph = tf.function(run, jit_compile=False)
        graph(x)
        return min(repeated(lambda: tf.nest.map_structure(lambda each: each.numpy(), graph(x)), 5))

    forward, both = best(lambda x: layer(x)), best(backward)
    return forward, max(both - forward, 0.0)


def profile_search(detector, images) -> dict:
    """Where a search step's time goes, layer by layer, and the share of the machine's peak that it reaches."""
    search, lanes = detector.search, detector.ways.lanes["random"].lanes
    x = np.repeat(images[:1], lanes, axis=0)
    options = {"lam": LAM, "score": "paper", "init": "random"}
    detector.invert(x, steps=2, **options)
    few, many = (min(repeated(partial(detector.invert, x, steps=n, **options), 3)) for n in (5, 25))
    step = (many - few) / 20
    rows = []
    for layer in layers_with_kernel(search.generator, search.features):
        forward, backward = time_layer(layer, lanes, weights=False)
        rows.append({"layer": layer.name, "forward_ms": 1000 * forward, "backward_ms": 1000 * backward})
    work = 2 * lanes * sum(map(flops, layers_with_kernel(search.generator, search.features)))
    peak = peak_flops("float32")
    inside = sum(row["forward_ms"] + row["backward_ms"] for row in rows)
    return {
        "peak_share": work / step / peak,
        "matrix_product_gflops": peak / 1e9,
        "step_ms": 1000 * step,
        "gflop_in_a_step": work / 1e9,
        "convolutions_share": min(1.0, inside / (1000 * step)),
        "layers": rows,
    }


def profile_training(detector, data) -> dict:
    """Of a training step: the convolutions' share, each timed alone, and the share spent waiting for input."""
    gan = detector.gan
    waited = worked = 0.0
    batches = chain.from_iterable(epoch_batches(data.train, 32, 0, epoch) for epoch in range(6))
    for i in range(6):
        begun = time.perf_counter()
        batch = next(batches)
        got = time.perf_counter()
        gan.train_step(batch)["g_loss"].numpy()
        if i:  # the first makes the graph
            waited, worked = waited + got - begun, worked + time.perf_counter() - got
    g = [time_layer(layer, 32, True) for layer in layers_with_kernel(gan.generator)]
    d = [time_layer(layer, 32, True) for layer in layers_with_kernel(gan.discriminator)]
    # G draws twice and learns once; D sees real, generated and again generated images, each with gradients.
    inside = sum(2 * f + b for f, b in g) + sum(3 * (f + b) for f, b in d)
    step = worked / 5
    return {
        "step_ms": 1000 * step,
        "convolutions_share": min(1.0, inside / step),
        "input_wait_share": waited / (waited + worked),
    }


# ---- from a folder to a CSV file


# A small process starts the command: the most that a process held counts from its start as a copy of its parent.
WATCH = """import os, subprocess, sys, time
begun = time.perf_counter()
process = subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL)
_, code, used = os.wait4(process.pid, 0)
print(time.perf_counter() - begun, used.ru_maxrss / 1024)
sys.exit(code != 0)"""


def from_disk(folder: Path, data, counts) -> dict:
    """Images a second and peak memory of `anogan score DETECTOR FOLDER --csv FILE`, from its start to its end.

    The detector is the one in `folder`, and what `anogan export` makes of it, which needs no TensorFlow.
    """
    said: dict = {}
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        datasets.write(data, place / "data")
        photos = sorted((place / "data" / "test").rglob("*.png"))
        write_exported(AnoGAN.load(folder), place / "detector.tflite")
        for count in counts:
            many = place / str(count)
            many.mkdir()
            for i in range(count):
                os.link(photos[i % len(photos)], many / f"{i}.png")
            for detector in (folder, place / "detector.tflite"):
                words = ["-m", "anogan_lib", "score", detector, many, "--csv", many.with_suffix(".csv")]
                words = [sys.executable, "-c", WATCH, *map(str, words)]
                spent, mb = map(float, subprocess.run(words, cwd=ROOT, capture_output=True, check=True).stdout.split())
                assert len(many.with_suffix(".csv").read_text().splitlines()) == count + 1
                told = {"images_per_second": count / spent, "peak_memory_mb": mb}
                said.setdefault("exported" if detector.suffix else "detector", {})[str(count)] = told
    return said


def main(argv=None) -> dict:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=4, help="held-out images")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--files", type=int, default=20000, help="files of the longest run from disk")
    parser.add_argument("--ready", nargs="*", default=["hazelnut", "mnist-8"], help="ready detectors, beside the usual")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(argv)
    machine = {"processor": processor(), "cores": os.cpu_count(), "tensorflow": tf.__version__}
    machine |= {"images": args.images, "repeats": args.repeats, "lam": LAM}
    said = {"written": time.strftime("%Y-%m-%d"), "machine": machine, "networks": {}}
    data = datasets.load("hazelnut", size=64)

    def some(test):
        return test.images[np.linspace(0, len(test) - 1, args.images).astype(int)]

    for name in args.ready:
        detector = AnoGAN.load(ROOT / "weights" / name)
        test = datasets.load(name.replace("-", ":"), size=detector.image_shape[:2]).test
        said["networks"][f"weights/{name}"] = against_the_loops(detector, some(test), args.repeats, whole=False)
        saving.write_json(args.out, said)
    said["folder"] = from_disk(ROOT / "weights" / "hazelnut", data, sorted({100, args.files}))
    saving.write_json(args.out, said)
    detector = usual_detector(args.out.parent / "networks", data)
    said["profile"] = profile_search(detector, some(data.test))
    said["training"] = profile_training(usual_detector(args.out.parent / "networks", data), data)
    saving.write_json(args.out, said)
    said["networks"]["usual networks"] = against_the_loops(detector, some(data.test), args.repeats, whole=True)
    saving.write_json(args.out, said)
    print(f"{table(said)}\n\n{said['profile']}\n{said['training']}\n{said['folder']}\nwritten to {args.out}")
    return said


# ---- the results page

ROWS = {
    "textbook": "textbook loop",
    "plain_loop": "the same steps in one `tf.function`",
    "default": "random start, 100 steps (default)",
    "random_start_near": "random start, near",
    "random_start": "random start, no image higher",
    "encoder_start_near": "encoder's start, near",
    "encoder_start": "encoder's start, no image higher",
    "encoder_only": "encoder alone, one pass",
}


def rounded(value: float, digits: int) -> str:
    return f"{float(f'{value:.{digits}g}'):,g}"


def table(told: dict) -> str:
    """The table of the results page: a row for each search, a column for each pair of networks."""
    networks = told["networks"]
    names = [name if name == "usual networks" else f"`{name}`" for name in networks]
    lines = [["milliseconds an image (times faster than the textbook loop)", *names]]
    for way, title in ROWS.items():
        cells = []
        for part in networks.values():
            ms, reached = part["spread_ms"][way]["median"], part.get(f"{way}_reached", True)
            ratio = "" if way == "textbook" else f" ({rounded(part[f'{way}_ratio'], 2)})"
            cells.append(f"{rounded(ms, 3)}{ratio}" if reached else "not reached")
        lines.append([title, *cells])
    return drawn(lines)


def folder_table(told: dict) -> str:
    """The table of the results page: from a folder of images to a CSV file, with TensorFlow and without it."""
    lines = [["images", *(f"{way}, {unit}" for way in told["folder"] for unit in ("images a second", "MB at most"))]]
    for count in next(iter(told["folder"].values())):
        cells = [way[count] for way in told["folder"].values()]
        figures = [f"{cell[name]:,.0f}" for cell in cells for name in ("images_per_second", "peak_memory_mb")]
        lines.append([f"{int(count):,}", *figures])
    return drawn(lines)


def step_table(told: dict) -> str:
    """The table of the results page: what a step of the usual networks is spent on."""
    search, training = told["profile"], told["training"]
    lines = [
        ["a step of the usual networks", "search", "training"],
        ["milliseconds", rounded(search["step_ms"], 2), rounded(training["step_ms"], 2)],
        ["in convolutions", *(f"{100 * each['convolutions_share']:.0f} %" for each in (search, training))],
        ["waiting for images", "", f"{100 * training['input_wait_share']:.1f} %"],
        ["of the speed of a large matrix product", f"{100 * search['peak_share']:.0f} %", ""],
    ]
    return drawn(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
