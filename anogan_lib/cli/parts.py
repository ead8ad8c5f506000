"""The table of scores of several workers: each writes a part of its own, and the last to finish joins them."""

import hashlib
import os
from pathlib import Path

from anogan_lib.cli import tables
from anogan_lib.training import workers


class Parts:
    """Which files this worker scores, and the part of a table that it writes; with one worker, all and the whole table.

    Args:
        table: the CSV file, or None.
        names: of all images, in order.
        about: what scores depend on. Parts of workers for which it or the names differ are never joined.

    Attributes:
        worker, count: this worker's number, and how many there are.
        table: where this worker writes.
    """

    def __init__(self, table: str | None, names: list[str], about, resume: bool):
        self.worker, self.count = workers.of_environment()
        self.whole = self.table = table
        if self.count == 1:
            return
        if not table:
            raise ValueError("Several workers (TF_CONFIG) join their scores in one table: name it with --csv FILE.")
        self.order = {name: i for i, name in enumerate(names)}
        key = hashlib.sha256(repr((names, about)).encode(errors="surrogateescape")).hexdigest()[:8]
        self.parts = [Path(f"{table}.{key}-{i + 1}-of-{self.count}") for i in range(self.count)]
        own = self.parts[self.worker]
        self.table = Path(f"{own}.unfinished")
        if own.is_file():  # this worker had finished, and was started again
            os.replace(own, self.table)
        if not resume:
            self.table.unlink(missing_ok=True)

    def finish(self) -> list[dict] | None:
        """Declare this worker's part finished, and join the table if it was the last; returns its rows then."""
        self.table.parent.mkdir(parents=True, exist_ok=True)
        self.table.touch()  # where no image could be read
        os.replace(self.table, self.parts[self.worker])
        if not self._all_there():
            return None
        rows = sorted(
            (row for part in self.parts for row in tables.read(part)), key=lambda row: self.order[row["name"]]
        )
        if not self._all_there():  # another worker has finished at the same time, and joined them
            return None
        tables.write(self.table, rows)
        os.replace(self.table, os.path.realpath(self.whole))
        for part in self.parts:
            part.unlink(missing_ok=True)
        return rows

    def _all_there(self) -> bool:
        return all(part.is_file() for part in self.parts)
