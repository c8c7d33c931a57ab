"""TA-Lib, imported without the table libraries whose columns it takes too: these are slow to import."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Have modules that aren't imported yet be as if they weren't installed."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None stops an import
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


# Only arrays of NumPy are given to it here.
with _hidden("pandas", "polars"):
    import talib
    from talib import abstract

__all__ = ["abstract", "talib"]
