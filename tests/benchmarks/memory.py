"""How much memory scoring takes: run after run in one process, and many images beside few.

`python -m tests.benchmarks.memory` scores 200 images 20 times in one process and says what the process holds after each
run, then scores 100 and 20,000 images in a process each and says the most that either held. memory.json keeps it.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.kills import ROOT, make_images

KEPT = Path(__file__).with_suffix(".json")
RUNS = """
import gc, resource, sys
from pathlib import Path
from anogan_lib.cli import main
def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
statm = Path("/proc/self/statm")
for _ in range(int(sys.argv[1])):
    assert main(sys.argv[2:]) == 0
    gc.collect()
    print("held", int(statm.read_text().split()[1]) * resource.getpagesize() if statm.exists() else most(), flush=True)
print("most", most())
"""


def measure(detector: str, images: Path, runs: int) -> tuple[list[int], int]:
    """Score a folder of images so many times in one new process.

    Returns:
        The bytes that the process held after each run, and the most that it ever held.
    """
    words = ["score", detector, str(images), "--csv", str(images.with_suffix(".csv"))]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", RUNS, str(runs), *words]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    held = [int(each) for each in re.findall(r"^held (\d+)", said, re.M)]
    return held, int(re.search(r"^most (\d+)", said, re.M)[1])


def table(told: list[dict]) -> str:
    """The table of the results page: a row for each process."""
    lines = ["| images in a run | runs | MB after the third | MB after the last | MB at most |", "|---" * 5 + "|"]
    for each in told:
        held = [round(bytes_ / 1e6) for bytes_ in each["held"]]
        third = held[2] if len(held) > 2 else ""
        most = max(each["most"], *each["held"]) / 1e6
        lines.append(f"| {each['images']:,} | {len(held)} | {third} | {held[-1]} | {most:.0f} |")
    return "\n".join(lines)


def main() -> None:
    detector, told = str(ROOT / "weights" / "digits-8"), []
    with tempfile.TemporaryDirectory() as place:
        for count, runs in ((200, 20), (100, 1), (20_000, 1)):
            make_images(Path(place) / str(count), count)
            held, most = measure(detector, Path(place) / str(count), runs)
            told.append({"images": count, "held": held, "most": most})
    KEPT.write_text(json.dumps(told, indent=1))
    print(table(told))


if __name__ == "__main__":
    main()
