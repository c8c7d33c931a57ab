#!/usr/bin/env python3
"""Writes the parts of docs/strategies.md that are made from the code: the grammar, and its tables.

usage: uv run python .ci/strategy_reference.py
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from domain.strategies.reference import grammar, library_functions, own_functions, templates  # noqa: E402  # found by the path above

PAGE = ROOT / "docs" / "strategies.md"
PARTS = {
    "grammar": f"```text\n{grammar()}\n```",
    "own functions": own_functions(),
    "library functions": library_functions(),
    "templates": templates(),
}


def written(page: str) -> str:
    """Return the page with its generated parts as the code has them."""
    for name, text in PARTS.items():
        begin = f"<!-- generated: {name} -->\n"
        before, rest = page.split(begin)
        _, after = rest.split("<!-- end -->", 1)
        page = f"{before}{begin}{text}\n<!-- end -->{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
    print(f"{PAGE.relative_to(ROOT)} is written.")
