"""The command line: `anogan demo`, `train`, `score`, `evaluate`, `export`, `live`, `data`."""

from anogan_lib.cli.main import main

__all__ = ["main"]
