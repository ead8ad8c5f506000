"""End one training again and again, and compare its detector with that of a training that nobody disturbed.

    python -m tests.benchmarks.killed_training [--count 30]

`anogan train` makes a small detector of the digit 8 at 16x16, with a checkpoint every second. It is ended so many
times on the way, goes on with `--resume` each time, and in the end all networks, histories and files must be equal bit
for bit. It is ended by SIGKILL at any moment, by SIGKILL while a checkpoint is written, and by a disk that is full from
some moment on: the system then refuses to write more than a few thousand bytes into any file, and the command ends by
itself and says where it could not write. The figures are kept as tests/benchmarks/killed_training.json.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.benchmarks import apart

KEPT = Path(__file__).with_suffix(".json")
DATA = ["digits:8", "--size", "16", "--latent-dim", "4", "--width", "4", "--epochs", "200"]
WAYS = ("at any moment", "while a checkpoint was written", "by a full disk")
STAGES = {"start": "while it started", "training": "in the GAN", "training encoder": "in the encoder"}
STAGES |= {"inverse mapping": "in the evaluation"}  # by the last progress bar
OFTEN = "import sys; from anogan_lib.training import checkpoints; checkpoints.EVERY_SECONDS = 1.0\n"
OFTEN += "from anogan_lib.cli import main; sys.exit(main(['train', *sys.argv[1:], '--resume']))"


class Training:
    """`anogan train`, in a process of its own, that goes on where the last one was ended."""

    def __init__(self, options: list[str], out: Path):
        environment = os.environ | {"PYTHONPATH": str(apart.ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        words, pipes = [sys.executable, "-c", OFTEN, *options, "--out", str(out)], {"stderr": subprocess.PIPE}
        self.out, self.said, self.started = out, b"", time.monotonic()
        self.process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, **pipes)
        self.listener = threading.Thread(target=self._listen)
        self.listener.start()

    def _listen(self) -> None:
        while part := self.process.stderr.read1():
            self.said += part

    def wait(self, for_=lambda: False, seconds: float = 3600.0, pause: float = 0.02) -> bool:
        """Wait until something is so, at most so long, and look after every pause. Returns whether it still runs."""
        late = time.monotonic() + seconds
        while self.process.poll() is None and not for_() and time.monotonic() < late:
            time.sleep(pause)
        return self.process.poll() is None

    def goes_on(self) -> bool:
        return b"%|" in self.said

    def stage(self) -> str:
        """What it was at: its last progress bar, or "start"."""
        lines = self.said.decode(errors="replace").replace("\r", "\n").splitlines()
        return ([line.partition(":")[0].strip() for line in lines if "%|" in line] or ["start"])[-1]

    def writes(self) -> bool:
        """Whether a checkpoint is written now: TensorFlow lists it when it is whole."""
        folders = [self.out / "checkpoint", *self.out.glob("checkpoint/encoder/*")]
        return any(not file.with_suffix(".index").exists() for each in folders for file in each.glob("ckpt-*.json"))

    def end(self) -> int:
        self.process.kill()
        self.listener.join()
        return self.process.wait()


def learned(out: Path) -> dict:
    """What a training has left: of each network the weights, and every file but the card, which has times."""
    from anogan_lib import AnoGAN

    detector, histories = AnoGAN.load(out), {}
    for place in (out / "checkpoint", *out.glob("checkpoint/encoder/*")):
        last = max(place.glob("ckpt-*.json"), key=lambda file: int(file.stem[5:]))
        history = json.loads(last.read_text())["history"]
        histories[place.name] = {name: values for name, values in history.items() if name != "seconds"}
    networks = [detector.gan.averaged, detector.gan.discriminator, detector.generator, detector.encoder]
    weights = {str(i): [each.tobytes() for each in network.get_weights()] for i, network in enumerate(networks)}
    files = {name: (out / name).read_bytes() for name in ("calibration.npz", "backgrounds.npz", "splits.json")}
    return weights | files | {"scales": detector.map_scales | detector.scores["best"].spreads, "histories": histories}


def disturb(training: Training, way: str, seconds: float, rng: random.Random) -> bool:
    """End a training in one of WAYS, within so many seconds of its first step. Returns whether it was ended."""
    if way == WAYS[0] and rng.random() < 0.25:
        training.wait(training.goes_on, rng.uniform(0.0, 20.0))  # while it starts
    else:
        training.wait(training.goes_on)
        training.wait(seconds=rng.uniform(0.0, seconds))
    if way == WAYS[1]:
        training.wait(training.writes, pause=0.0005)
        time.sleep(rng.uniform(0.0, 0.02))
    if way == WAYS[2] and training.process.poll() is None:
        most = rng.choice((0, 100, 5_000, 30_000))
        resource.prlimit(training.process.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        training.wait()
    code = training.end()
    if way == WAYS[2] and code:
        last = training.said.decode(errors="replace").strip().splitlines()[-1]
        assert code > 0 and str(training.out) in last, last
    return code != 0


def ended_again_and_again(options: list[str], place: Path, count: int, seed: int = 0) -> dict:
    """Train once undisturbed, and once ended `count` times; both must leave the same.

    Where a training is done before, another one begins. Returns what ended it, in which stages, and how many detectors
    were compared.
    """
    rng, done, compared = random.Random(seed), [], 0
    whole = Training(options, place / "whole")
    whole.wait(whole.goes_on)
    began = time.monotonic()
    whole.wait()
    span = time.monotonic() - began
    assert whole.end() == 0, whole.said.decode()
    expected = learned(place / "whole")
    ways = [WAYS[i % len(WAYS)] for i in range(count)]
    rng.shuffle(ways)

    def compare() -> None:
        found = learned(place / f"torn-{compared}")
        different = [name for name in expected.keys() | found.keys() if found.get(name) != expected.get(name)]
        assert not different, different

    while len(done) < count:
        training = Training(options, place / f"torn-{compared}")
        if disturb(training, ways[len(done)], 2 * span / count, rng):
            done.append({"way": ways[len(done)], "stage": training.stage(), "torn": training.writes()})
            print(done[-1], flush=True)
        else:
            compare()
            compared += 1
    last = Training(options, place / f"torn-{compared}")
    last.wait()
    assert last.end() == 0, last.said.decode()
    compare()
    return {"ended": done, "detectors_equal": compared + 1, "training_seconds": round(span, 1)}


def table(told: dict) -> str:
    """The table of the results page: how a training was ended, how often, and at what."""
    stages = [stage for stage in STAGES if any(each["stage"] == stage for each in told["ended"])]
    names = ("the training was ended", "times", *(STAGES[stage] for stage in stages), "a checkpoint was half written")
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for way in WAYS:
        some = [each for each in told["ended"] if each["way"] == way]
        counts = [sum(each["stage"] == stage for each in some) for stage in stages]
        lines.append(f"| {way} | {' | '.join(map(str, (len(some), *counts, sum(each['torn'] for each in some))))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=30, metavar="N", help="how often the training is ended")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        told = apart.keep(KEPT, lambda: ended_again_and_again(DATA, Path(place), args.count))
    print(table(told), f"detectors, all equal bit for bit: {told['detectors_equal']}", sep="\n\n")


if __name__ == "__main__":
    main()
