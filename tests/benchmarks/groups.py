"""Does the threshold hold on parts from elsewhere? False alarms on solar cells of modules that nobody trained on.

    python -m tests.benchmarks.groups [--jobs 2] [--out results/bench]

The set's test cells come from other modules than its training cells. The default detector is trained twice, on all
cells, near-copies kept together, and with the modules named as groups, so that calibration cells come from modules that
were neither trained nor validated on. The file name says where a cell comes from: cells lie in order of module, and 60
numbers in a row, the cells of a usual module, count as one. Both detectors are asked for 5 % false alarms; so few
groups cannot promise that, so their threshold is an estimate. It needs $ANOGAN_DATA. What is measured is kept as
tests/benchmarks/groups.json, and another run goes on with it.
"""

import argparse
import json
import re
import sys
from pathlib import Path

from tests.benchmarks import apart
from tests.benchmarks.quality import default_detector

KEPT = Path(__file__).with_suffix(".json")
SPEC = "solar_elpv_poly"
CELLS = 60  # of a module
WAYS = {"cells": None, "modules": lambda name: int(re.search(r"\d+", name)[0]) // CELLS}


def measure(way: str, out: Path, seed: int = 0) -> dict:
    """Train the default detector on the set split by cells or by modules, and judge its test cells."""
    from anogan_lib import datasets

    data = datasets.load(SPEC, groups=WAYS[way])
    detector, _ = default_detector(data, seed, out / "groups" / way, estimate=True)
    found = detector.evaluate(data)
    alarms = {"called": found.confusion["false_alarm"], "of": found.normal, "interval": found.false_alarm_interval}
    hits = {"called": found.confusion["hit"], "of": found.anomalous, "interval": found.hit_rate_interval}
    counts = {"calibration_images": len(data.calibration), "calibration_groups": data.calibration.group_count}
    told = {"auroc": found.auroc, "asked": detector.false_alarm_rate, "rivals": found.baselines}
    return told | counts | {"false_alarms": alarms, "hits": hits}


def read(out: Path) -> dict[str, dict]:
    """Everything measured so far, by way."""
    files = {way: out / "groups" / f"{way}.json" for way in WAYS}
    return {way: json.loads(file.read_text()) for way, file in files.items() if file.is_file()}


def table(told: dict[str, dict]) -> str:
    """The table of the results page: a row for each way to split."""
    names = ("calibrated on", "image AUROC", "best simple rival", "false alarms, 5 % asked", "defects found")
    lines = [f"| solar cells split by | {' | '.join(names)} |", "|---" * 6 + "|"]
    for way, each in told.items():
        groups = f" of {each['calibration_groups']} other modules" if way == "modules" else ""
        shares = [f"{100 * each[name]['called'] / each[name]['of']:.0f} %" for name in ("false_alarms", "hits")]
        shares[0] += " [{:.0f}, {:.0f}]".format(*(100 * end for end in each["false_alarms"]["interval"]))
        best = max(each["rivals"], key=each["rivals"].get)
        rival = f"{each['rivals'][best]:.3f} ({best})"
        cells = (way, f"{each['calibration_images']} cells{groups}", f"{each['auroc']:.3f}", rival, *shares)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time, a core each")
    parser.add_argument("--out", type=Path, default=apart.ROOT / "results" / "bench")
    parser.add_argument("--measure", metavar="WAY", choices=WAYS, help="one way, in this process")
    args = parser.parse_args()
    if args.measure:
        apart.keep(args.out / "groups" / f"{args.measure}.json", lambda: measure(args.measure, args.out), seed=0)
        return
    if KEPT.is_file():
        kept = json.loads(KEPT.read_text())
        apart.go_on_with({args.out / "groups" / f"{way}.json": told for way, told in kept.items()})
    missing = [(way,) for way in WAYS if way not in read(args.out)]
    failed = apart.run_each("tests.benchmarks.groups", missing, args.out, args.jobs)
    KEPT.write_text(json.dumps(read(args.out), indent=1))
    print(table(read(args.out)))
    if failed:
        sys.exit(f"not measured: {', '.join(way for (way,) in failed)}")


if __name__ == "__main__":
    main()
