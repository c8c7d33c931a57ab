"""The commands `r3edge-faults` and `r3edge-drill`: tests of a source checkout, which the installed package lacks."""

import importlib
import sys

from infra.cli.exit_codes import USAGE_ERROR

FAULTS = "tests.faults.model.cli"
DRILL = "tests.faults.drills.cli"


def run_checkout_program(command: str, module: str) -> None:
    """Run the command line in a module of the tests; outside a checkout, say so and end with exit code 2."""
    try:
        program = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        print(f"{command} needs the project's tests: run it in a checkout, by `uv run {command}`.", file=sys.stderr)
        raise SystemExit(USAGE_ERROR) from None
    program.main()
