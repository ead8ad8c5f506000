"""Kill a command again and again, let it end, and compare its files with those of a run that nobody disturbed.

`python -m tests.benchmarks.kills` kills `anogan score` over 1,000 images 50 times (SIGKILL, at random moments, and
continues with --resume) and as often with an exported detector, then `anogan evaluate --report` and `anogan demo` 10
times each. `NAME COUNT` does one of them.
kills.json keeps what was measured.
"""

import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from anogan_lib.cli import main as main_of_anogan

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(__file__).with_suffix(".json")


def make_images(folder: Path, count: int) -> None:
    """Write images of noise in natural order, some of them broken."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        Image.fromarray(rng.integers(0, 256, (24, 24), np.uint8)).save(folder / f"{i}.png")
        if i % 97 == 5:
            (folder / f"{i}.png").write_bytes(b"broken")


def start(words: list[str], folder: Path) -> multiprocessing.Process:
    """Start a command in a folder, in a copy of a process that has imported what is slow: kills hit its work."""
    folder.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("forkserver")  # a copy of this process would lack TensorFlow's threads
    context.set_forkserver_preload(["keras", "matplotlib.pyplot", "sklearn.metrics"])
    process = context.Process(target=run, args=(words, folder))
    process.start()
    return process


def run(words: list[str], folder: Path) -> None:
    os.chdir(folder)
    silent = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(silent, stream)
    sys.exit(main_of_anogan(words))


def finish(words: list[str], folder: Path) -> None:
    """Let a command end by itself."""
    process = start(words, folder)
    process.join()
    assert process.exitcode == 0


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def stamps(folder: Path) -> dict[str, tuple]:
    """Size and time of change of every file below a folder."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in files}


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
    while process.is_alive() and time.monotonic() - began < late:
        if by_bytes and written(folder) > goal:
            break
        time.sleep(0.005)
    process.kill()
    process.join()
    return process.exitcode != 0


def disturbed(words: list[str], place: Path, count: int, resume: bool, seed: int = 0) -> dict:
    """Kill a command `count` times, then let it end. Its files must be those of an undisturbed run.

    Where it is done before, it starts over. Returns how often it was killed, how often while it wrote (some bytes were
    there that the start had not found, or other ones), the number and size of its files, and how often they were
    compared.
    """
    whole, torn, rng, began = place / "whole", place / "torn", random.Random(seed), time.monotonic()
    finish(words, whole)
    expected, seconds = contents(whole), time.monotonic() - began
    told = {"kills": 0, "while_writing": 0, "comparisons": 1, "files": len(expected), "bytes": written(whole)}
    again = [*words, "--resume"] if resume else words
    while told["kills"] < count:
        before = stamps(torn)
        if kill(again, torn, written(whole), seconds, rng):
            told["kills"] += 1
            told["while_writing"] += stamps(torn) != before
            print(f"{told['kills']} of {count}, {time.monotonic() - began:.0f} s", flush=True)
        if resume and written(torn) >= 0.8 * written(whole):
            finish(again, torn)
            assert contents(torn) == expected
            told["comparisons"] += 1
            for file in torn.rglob("*"):
                file.unlink()
    finish(again, torn)
    found = contents(torn)
    assert found.keys() == expected.keys(), found.keys() ^ expected.keys()
    assert not (different := [name for name in found if found[name] != expected[name]]), different
    return told


def table(told: dict[str, dict]) -> str:
    """The table of the results page: a row for each command that was killed."""
    lines = ["| command | killed | of these while it wrote | files (kB) | comparisons, all equal | minutes |"]
    lines.append("|---" * 6 + "|")
    for name, row in told.items():
        files = f"{row['files']} ({row['bytes'] / 1000:.0f})"
        counts = f"{row['kills']} | {row['while_writing']} | {files} | {row['comparisons']} | {row['minutes']:.0f}"
        lines.append(f"| `anogan {name}` | {counts} |")
    return "\n".join(lines)


def main(argv: list[str]) -> None:
    detector = str(ROOT / "weights" / "digits-8")
    written = ["--csv", "a.csv", "--json", "a.json"]
    commands = {
        "score": (50, ["score", detector, "../images", *written]),
        "score FILE.tflite": (50, ["score", "../digits.tflite", "../images", *written]),
        "evaluate": (10, ["evaluate", detector, "digits:8", *written, "--report", "a.html"]),
        "demo": (10, ["demo"]),
    }
    for name in argv[:1] or commands:
        count, words = commands[name]
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as place:
            make_images(Path(place) / "images", 1000)
            if "FILE.tflite" in name:
                finish(["export", detector, "--out", "digits.tflite"], Path(place))
            row = disturbed(words, Path(place), int(argv[1]) if argv[1:] else count, resume=words[0] == "score")
        row["minutes"] = round((time.monotonic() - began) / 60, 1)
        print(f"{name}: all files as without kills, {row}", flush=True)
        told = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
        KEPT.write_text(json.dumps(told | {name: row}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
