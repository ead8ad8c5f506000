"""Find the files that come with the package."""

from pathlib import Path

_SHIPPED = Path(__file__).parents[1] / "shipped"  # a wheel's own copy; a checkout has none


def root() -> Path:
    """Return the folder that holds `weights/` and `data/`: the checkout, or the installed package's own copy."""
    return _SHIPPED if _SHIPPED.is_dir() else Path(__file__).parents[2]
