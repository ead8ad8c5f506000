"""Build the course's site: `python notebooks/site/build.py FOLDER` writes FOLDER/index.html and all that it needs."""

import shutil
import subprocess
import sys
from pathlib import Path

from sphinx.cmd.build import main as sphinx

from anogan_lib import datasets

ROOT = Path(__file__).resolve().parents[2]


def run(*command) -> None:
    subprocess.run([sys.executable, *map(str, command)], cwd=ROOT, check=True)


def build(folder: Path) -> None:
    """Raises CalledProcessError where a part fails, SystemExit where Sphinx has a warning."""
    where = ["-c", ROOT / "notebooks" / "site", "-d", folder.with_name(f"{folder.name}-cache"), ROOT, folder]
    for name in ("_images", "_downloads"):  # those of an earlier build would stay beside the new ones
        shutil.rmtree(folder / name, ignore_errors=True)
    if problem := sphinx(["-q", "-W", "--keep-going", "-E", "-a", "-b", "html", *map(str, where)]):
        sys.exit(problem)
    run("notebooks/views.py", "pages", folder / "views")
    digit = "mnist-8" if mnist_is_at_hand() else "digits-8"  # whose images come with scikit-learn
    for name, page in (("hazelnut", "hazelnut"), (digit, "digit")):
        run("-m", "anogan_lib", "live", f"weights/{name}", "--out", folder / "live" / f"{page}.html")


def mnist_is_at_hand() -> bool:
    try:
        datasets.load("mnist:8")
    except OSError as error:
        print(error)
        return False
    return True


if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve())
