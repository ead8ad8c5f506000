"""Build the course's site: `python notebooks/site/build.py FOLDER` writes FOLDER/index.html and all that it needs."""

import subprocess
import sys
from pathlib import Path

from sphinx.cmd.build import main as sphinx

ROOT = Path(__file__).resolve().parents[2]


def run(*command) -> None:
    subprocess.run([sys.executable, *map(str, command)], cwd=ROOT, check=True)


def build(folder: Path) -> None:
    """Raises CalledProcessError where a part fails, SystemExit where Sphinx has a warning."""
    where = ["-c", ROOT / "notebooks" / "site", "-d", folder.with_name(f"{folder.name}-cache"), ROOT, folder]
    if problem := sphinx(["-q", "-W", "--keep-going", "-b", "html", *map(str, where)]):
        sys.exit(problem)
    run("notebooks/views.py", "pages", folder / "views")
    for name in ("hazelnut", "mnist-8"):
        run("-m", "anogan_lib", "live", f"weights/{name}", "--out", folder / "live" / f"{name}.html")


if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve())
