"""The command `r3edge-faults`, which runs the model test of a source checkout; the installed package has no tests."""

import importlib
import sys

from infra.cli.exit_codes import USAGE_ERROR

_PROGRAM = "tests.faults.model.cli"


def main() -> None:
    """Run the model test's command line; outside a checkout, say so and end with exit code 2."""
    try:
        program = importlib.import_module(_PROGRAM)
    except ModuleNotFoundError as error:
        if error.name is None or not _PROGRAM.startswith(error.name):
            raise
        print(
            "r3edge-faults needs the project's tests: run it in a checkout, by `uv run r3edge-faults`.", file=sys.stderr
        )
        raise SystemExit(USAGE_ERROR) from None
    program.main()
