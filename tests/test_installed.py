"""The package as others get it: a wheel that is whole, small enough, and runs from any folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MOST_BYTES = 30e6


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this checkout, built without a package registry."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "--no-index"]
    said = subprocess.run([*command, "--wheel-dir", str(folder)], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A function that runs Python code on the unpacked wheel in an empty folder: what it prints, and that folder."""
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    before = {path: path.stat().st_mtime_ns for path in site.rglob("*")}

    def run(code: str) -> tuple[str, Path]:
        folder = tmp_path_factory.mktemp("somewhere")
        environment = os.environ | {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("ANOGAN_DATA", None)
        said = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
        assert said.returncode == 0, said.stderr
        assert {path: path.stat().st_mtime_ns for path in site.rglob("*")} == before  # nothing was written there
        return said.stdout, folder

    return run


def test_the_wheel_holds_every_file_of_the_package(wheel):
    assert wheel.stat().st_size < MOST_BYTES
    names = set(zipfile.ZipFile(wheel).namelist())
    package = [path for path in (ROOT / "anogan_lib").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {path.suffix for path in package} >= {".py", ".js", ".css", ".html"}
    assert {path.relative_to(ROOT).as_posix() for path in package} <= names
    for folder in ("weights/hazelnut", "weights/digits-8", "weights/mnist-8", "data/hazelnut"):
        files = [path for path in (ROOT / folder).rglob("*.*") if path.is_file() and path.suffix != ".pyc"]
        assert {f"anogan_lib/shipped/{path.relative_to(ROOT).as_posix()}" for path in files} <= names
    assert "anogan_lib/shipped/data/hazelnut/render.py" in names
    assert sum(name.startswith("anogan_lib/shipped/data/hazelnut/") and name.endswith(".png") for name in names) == 571
    assert sum(name.startswith("anogan_lib/shipped/weights/") and name.endswith("detector.json") for name in names) == 3
    assert not any(name.endswith(".pyc") for name in names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"anogan_lib"}


def test_installed_data_sets_load_from_any_folder(installed):
    said, _ = installed(
        "import anogan_lib\n"
        "from anogan_lib import datasets\n"
        "from anogan_lib.datasets import hazelnut, places\n"
        "print(anogan_lib.__file__, places.root(), hazelnut.render(0, 16)[0].shape)\n"
        "print(datasets.load('hazelnut').summary())\n"
    )
    assert str(ROOT) not in said and "shipped" in said.splitlines()[0] and "(16, 16, 3)" in said
    assert "train       good      274" in said


def test_installed_the_demo_runs_in_an_empty_folder(installed):
    said, folder = installed("import sys; from anogan_lib.cli.main import main; sys.exit(main(['demo']))")
    assert [path.name for path in folder.iterdir()] == ["results"] and "results" in said
    assert list(folder.rglob("*.html"))
