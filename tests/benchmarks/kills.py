"""Kill a command again and again, let it end, and compare its files with those of a run that nobody disturbed.

`python -m tests.benchmarks.kills` kills `anogan score` over 1,000 images 50 times (SIGKILL, at random moments, and
continues with --resume), `anogan evaluate --report` and `anogan demo` 10 times each. `NAME COUNT` does one of them.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


def make_images(folder: Path, count: int) -> None:
    """Write images of noise in natural order, some of them broken."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        Image.fromarray(rng.integers(0, 256, (24, 24), np.uint8)).save(folder / f"{i}.png")
        if i % 97 == 5:
            (folder / f"{i}.png").write_bytes(b"broken")


def start(words: list[str], folder: Path) -> subprocess.Popen:
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-m", "anogan_lib", *words], cwd=folder, env=environment, **silent)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def written(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0


def kill(words: list[str], folder: Path, most: int, seconds: float, rng: random.Random) -> bool:
    """Start a command and kill it: at any time from its start, or when it has written a part of `most` bytes.

    Returns whether it was killed before it was done.
    """
    process, began = start(words, folder), time.monotonic()
    late, goal = rng.random() * seconds, written(folder) + rng.random() * 0.2 * most
    if by_bytes := rng.random() < 0.7:
        late = 10 * seconds
    while process.poll() is None and time.monotonic() - began < late:
        if by_bytes and written(folder) > goal:
            break
        time.sleep(0.005)
    process.kill()
    return process.wait() != 0


def disturbed(words: list[str], place: Path, count: int, resume: bool, seed: int = 0) -> int:
    """Kill a command `count` times, then let it end. Its files must be those of an undisturbed run.

    Where it is done before, it starts over. Returns how often it was killed.
    """
    whole, torn, rng, began = place / "whole", place / "torn", random.Random(seed), time.monotonic()
    assert start(words, whole).wait() == 0
    expected, seconds, killed = contents(whole), time.monotonic() - began, 0
    again = [*words, "--resume"] if resume else words
    while killed < count:
        killed += kill(again, torn, written(whole), seconds, rng)
        if resume and written(torn) >= 0.8 * written(whole):
            assert start(again, torn).wait() == 0 and contents(torn) == expected
            for file in torn.rglob("*"):
                file.unlink()
    assert start(again, torn).wait() == 0
    found = contents(torn)
    assert found.keys() == expected.keys(), found.keys() ^ expected.keys()
    assert not (different := [name for name in found if found[name] != expected[name]]), different
    return killed


def main(argv: list[str]) -> None:
    detector = str(ROOT / "weights" / "digits-8")
    counts = {"score": 50, "evaluate": 10, "demo": 10}
    for name in argv[:1] or counts:
        count = int(argv[1]) if argv[1:] else counts[name]
        with tempfile.TemporaryDirectory() as place:
            words = {"demo": ["demo"], "evaluate": ["evaluate", detector, "digits:8", "--report", "a.html"]}
            words["evaluate"] += ["--csv", "a.csv", "--json", "a.json"]
            words["score"] = ["score", detector, "../images", "--csv", "a.csv", "--json", "a.json"]
            make_images(Path(place) / "images", 1000)
            began = time.monotonic()
            killed = disturbed(words[name], Path(place), count, resume=name == "score")
            print(f"{name}: killed {killed} times, all files as without, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
