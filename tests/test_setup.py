"""The project's own papers agree: dependencies, make targets, README, notebooks, and what an import costs."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("tensorflow", "keras", "sklearn", "scipy", "matplotlib", "IPython")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def tracked(pattern: str = "*") -> list[Path]:
    """The project's files as git has them; those of the folder where there is no git."""
    said = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if said.returncode == 0:
        return [path for line in said.stdout.splitlines() if (path := ROOT / line).is_file()]
    top = ("anogan_lib", "tests", "notebooks", "data", "weights")
    return [path for folder in top for path in (ROOT / folder).rglob(pattern) if path.is_file()]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", read("Makefile"), re.MULTILINE))


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads(read("pyproject.toml"))["project"]


def test_conda_environment_has_the_packages_of_pyproject(project):
    environment = yaml.safe_load(read("environment.yml"))
    conda, (pip,) = (
        [entry for entry in environment["dependencies"] if isinstance(entry, kind)] for kind in (str, dict)
    )
    assert f"python{project['requires-python']}" in conda
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    assert sorted(pip["pip"]) == sorted([*wanted, "-e ."])


def test_every_dependency_has_a_range_and_its_reason(project):
    reasons = read("CONTRIBUTING.md").lower()
    for requirement in project["dependencies"]:
        assert re.fullmatch(r"[a-z0-9-]+>=[\d.]+,<\d+", requirement)
        assert re.split("[>=<]", requirement)[0] in reasons


def test_no_file_names_a_package_registry():
    # In brackets, so that this line is none itself.
    address = re.compile("[p]ypi[.]|[p]ythonhosted[.]|[a]naconda[.]org|[n]pmjs[.]|[i]ndex-url|[f]ind-links")
    for path in tracked():
        text = path.read_bytes().decode("utf-8", errors="replace")
        assert not address.search(text), path


def test_readme_and_makefile_agree():
    code = "\n".join(re.findall(r"```.*?```|`[^`]+`", read("README.md"), re.DOTALL))
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", code))
    assert named <= make_targets()
    assert {"install", "lab", "demo", "test"} <= named


def test_every_make_target_sets_itself_up_and_is_in_the_help():
    makefile = read("Makefile")
    for target in make_targets() - {"help"}:
        assert re.search(rf"^{target}: \$\(STAMP\)", makefile, re.MULTILINE), target
        assert f'"make {target} ' in makefile


def test_readme_is_one_screen_and_a_half_and_its_links_lead_somewhere():
    library = ("anogan_lib/README.md", "anogan_lib/migrating.md", "tests/benchmarks/README.md")
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", *library):
        for link in re.findall(r"\]\(([^)#:]+)\)", read(name)):
            assert (ROOT / name).parent.joinpath(link).exists(), f"{name}: {link}"
    assert len(read("README.md").split()) <= 900


def test_readme_shows_commands_that_exist():
    from anogan_lib.cli.main import main

    blocks = "\n".join(re.findall(r"```.*?```", read("README.md"), re.DOTALL))
    named = set(re.findall(r"\banogan (?!-)([a-z]+)", blocks))
    assert {"demo", "train", "score"} <= named
    for command in named:
        with pytest.raises(SystemExit) as end:
            main([command, "--help"])
        assert end.value.code == 0


@pytest.mark.parametrize(
    "code",
    [
        "import anogan_lib",
        "import anogan_lib; from anogan_lib import datasets, pictures",
        "from anogan_lib.evaluation import baselines, evaluation, metrics, regions, thresholds",
        "from anogan_lib.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass",
    ],
)
def test_imports_are_light(code):
    """What a newcomer types first answers at once: nothing heavy is loaded."""
    ask = f"{code}\nimport sys; print(' '.join(n for n in {HEAVY} if n in sys.modules), file=sys.stderr)"
    said = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stderr.split() == []


def test_an_import_against_the_order_of_the_rooms_fails(tmp_path):
    shutil.copytree(ROOT / "anogan_lib", tmp_path / "anogan_lib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    planted = {"datasets/folders.py": "anogan_lib.paper", "scores/basic.py": "anogan_lib.fast"}
    for name, wrong in planted.items():
        file = tmp_path / "anogan_lib" / name
        file.write_text(f"import {wrong}\n{file.read_text(encoding='utf-8')}", encoding="utf-8")
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert said.returncode == 1
    assert "anogan_lib.datasets is not allowed to import anogan_lib.paper" in said.stdout
    assert "anogan_lib.scores is not allowed to import anogan_lib.fast" in said.stdout


def test_notebooks_were_run_whole_and_in_order():
    for path in tracked("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        counts = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"]
        assert counts == list(range(1, len(counts) + 1)), f"{path.name}: run `make notebooks`"


def test_notebooks_are_small_and_hold_no_widget_state():
    for path in tracked("*.ipynb"):
        assert path.stat().st_size < 1_000_000, path.name
        assert "widgets" not in json.loads(path.read_text(encoding="utf-8"))["metadata"], path.name
