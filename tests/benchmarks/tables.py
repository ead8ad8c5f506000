"""Draw the tables of README and the results page again, from what was measured and from the cards.

python -m tests.benchmarks.tables
"""

import json
from pathlib import Path

from tests.benchmarks import (
    ablation,
    export,
    groups,
    killed_training,
    kills,
    ladder,
    leftover,
    memory,
    quality,
    shapes,
    speed,
    training,
)

ROOT = Path(__file__).resolve().parents[2]


def cards() -> dict[str, dict]:
    """The cards of the ready detectors, by the names of their folders."""
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(ROOT.glob("weights/*/card.json"))}


def ready(cards: dict[str, dict]) -> str:
    """The table of the ready detectors: a row for each card."""
    names = "image AUROC | 95 % interval | pixel AUROC | anomalies found | false alarms | calibration images"
    lines = [f"| ready detector | {names} | best simple rival |", "|---" * 8 + "|"]
    for name, card in cards.items():
        told = card["results"]
        rival = max(told["baselines"], key=told["baselines"].get)
        interval = "{:.3f} to {:.3f}".format(*told["auroc_interval"])
        pixels = f"{told['pixel_auroc']:.3f}" if "pixel_auroc" in told else ""
        shares = f"{100 * told['hit_rate']:.0f} % | {100 * told['false_alarm_rate']:.1f} %"
        rival = f"{card['images']['calibration']} | {told['baselines'][rival]:.3f} ({rival})"
        lines.append(f"| `weights/{name}` | {told['auroc']:.3f} | {interval} | {pixels} | {shares} | {rival} |")
    return "\n".join(lines)


def kinds(told: dict) -> str:
    """The table of the kinds of anomaly that the default detector was measured on."""
    lines = ["| detector of | image AUROC of each kind of anomaly |", "|---|---|"]
    for name, spec in (("mnist-8-0", "mnist:8"), ("hazelnut-0", "hazelnut")):
        found = told["parts"][name]["detector"]["auroc_by_kind"]
        lines.append(f"| `{spec}` | {', '.join(f'{kind}: {auroc:.3f}' for kind, auroc in found.items())} |")
    return "\n".join(lines)


def tables() -> list[tuple[Path, str]]:
    """Every table that a command draws, and the page that it stands in."""
    kept = (quality.KEPT, ablation.KEPT, ladder.KEPT, speed.KEPT, shapes.KEPT, kills.KEPT)
    told, switches, rungs, times, steps, killed = (json.loads(path.read_text()) for path in kept)
    left = json.loads(leftover.KEPT.read_text())
    drawn = (
        quality.summary(told),
        quality.table(told),
        quality.seeds_table(told),
        quality.aims_table(told),
        ready(cards()),
        kinds(told),
        groups.table(json.loads(groups.KEPT.read_text())),
        leftover.left_table(left),
        leftover.steps_table(left),
        leftover.blur_table(left),
        leftover.samples_table(left),
        ablation.table(switches),
        ladder.table(rungs),
        speed.table(times),
        speed.folder_table(times),
        export.table(json.loads(export.KEPT.read_text())),
        speed.step_table(times),
        shapes.table(steps),
        shapes.paper_table(steps),
        training.table(json.loads(training.KEPT.read_text())),
        killed_training.table(json.loads(killed_training.KEPT.read_text())),
        kills.table(killed),
        memory.table(json.loads(memory.KEPT.read_text())),
    )
    results = Path(__file__).with_name("README.md")
    return [(ROOT / "README.md", drawn[0]), *((results, table) for table in drawn)]


def put(text: str, table: str) -> str:
    """Put a table in the place of the one whose first column has its name. Raises ValueError where there is none."""
    lines, name = text.splitlines(), table.split("|")[1]
    heads = [i for i, line in enumerate(lines) if line.split("|")[1:2] == [name] and not lines[i - 1].startswith("|")]
    if len(heads) != 1:
        raise ValueError(f"One table of the page begins with |{name}|. Received: {len(heads)}.")
    first = last = heads[0]
    while last < len(lines) and lines[last].startswith("|"):
        last += 1
    return "\n".join([*lines[:first], table, *lines[last:]]) + "\n"


def main() -> None:
    for path, table in tables():
        path.write_text(put(path.read_text(encoding="utf-8"), table), encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {table.partition(chr(10))[0]}")


if __name__ == "__main__":
    main()
