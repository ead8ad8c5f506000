"""Settings that hold for every test and every notebook; pytest reads this file before it collects."""

import os

# Inherited by the notebooks' kernels.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.path.dirname(__file__), os.environ.get("PYTHONPATH")]))


def pytest_collectstart(collector):
    """Strict nbval compares every output except what libraries say on standard error."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)


# Strict nbval reads numbers: tests/notebooks/nbval_numbers.py says how far they may differ.
pytest_plugins = ["tests.notebooks.nbval_numbers"]
