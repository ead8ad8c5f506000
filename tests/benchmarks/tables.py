"""Draw the tables of README and the results page again, from what was measured and from the cards.

python -m tests.benchmarks.tables
"""

import json
from pathlib import Path

from tests.benchmarks import ablation, quality, shapes

ROOT = Path(__file__).resolve().parents[2]


def cards() -> dict[str, dict]:
    """The cards of the ready detectors, by the names of their folders."""
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(ROOT.glob("weights/*/card.json"))}


def ready(cards: dict[str, dict]) -> str:
    """The table of the ready detectors: a row for each card."""
    lines = ["| ready detector | image AUROC | pixel AUROC | anomalies found | false alarms | best simple rival |"]
    lines.append("|---" * 6 + "|")
    for name, card in cards.items():
        told = card["results"]
        rival = max(told["baselines"], key=told["baselines"].get)
        pixels = f"{told['pixel_auroc']:.3f}" if "pixel_auroc" in told else ""
        shares = f"{100 * told['hit_rate']:.0f} % | {100 * told['false_alarm_rate']:.1f} %"
        rival = f"{told['baselines'][rival]:.3f} ({rival})"
        lines.append(f"| `weights/{name}` | {told['auroc']:.3f} | {pixels} | {shares} | {rival} |")
    return "\n".join(lines)


def tables() -> list[tuple[Path, str]]:
    """Every table that a command draws, and the page that it stands in."""
    told, switches = json.loads(quality.KEPT.read_text()), json.loads(ablation.KEPT.read_text())
    results = Path(__file__).with_name("README.md")
    steps = json.loads(shapes.KEPT.read_text())
    drawn = (quality.table(told), ready(cards()), ablation.table(switches))
    drawn += (shapes.table(steps), shapes.paper_table(steps))
    return [(ROOT / "README.md", quality.summary(told)), *((results, table) for table in drawn)]


def put(text: str, table: str) -> str:
    """Put a table in the place of the one with the same first line. Raises ValueError where there is none."""
    lines, header = text.splitlines(), table.partition("\n")[0]
    if header not in lines:
        raise ValueError(f"No table of the page begins with: {header}")
    first = last = lines.index(header)
    while last < len(lines) and lines[last].startswith("|"):
        last += 1
    return "\n".join([*lines[:first], table, *lines[last:]]) + "\n"


def main() -> None:
    for path, table in tables():
        path.write_text(put(path.read_text(encoding="utf-8"), table), encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {table.partition(chr(10))[0]}")


if __name__ == "__main__":
    main()
