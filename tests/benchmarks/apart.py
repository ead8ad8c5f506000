"""Long measurements: each in a process of its own, on one core, its figures kept in a file."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ONE_CORE = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}


def run_each(module: str, tasks: Iterable[tuple], out: Path, jobs: int) -> list[tuple]:
    """`python -m module --out OUT --measure *task` for every task, `jobs` at a time. Returns the tasks that failed."""

    def run(task: tuple) -> int:
        words = [sys.executable, "-m", module, "--out", str(out), "--measure", *map(str, task)]
        return subprocess.run(words, cwd=ROOT, env=os.environ | ONE_CORE).returncode

    tasks = list(tasks)
    with ThreadPoolExecutor(jobs) as pool:
        return [task for task, code in zip(tasks, pool.map(run, tasks), strict=True) if code]


def keep(file: Path, measure: Callable[[], dict], **about) -> dict:
    """What `measure` tells, with the commit and the seconds it took, written to `file`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    told = measure() | about
    told |= {"commit": commit(), "seconds": round(time.perf_counter() - started, 1)}
    file.write_text(json.dumps(told, indent=1))
    return told


def go_on_with(kept: dict[Path, dict]) -> None:
    """What an unfinished run has measured, {file: figures}, as if it had been measured here."""
    for file, told in kept.items():
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(told, indent=1))


def commit() -> str:
    """The commit that is measured; `+` where files differ from it."""
    told = subprocess.run(["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True)
    return told.stdout.strip() or "unknown"
