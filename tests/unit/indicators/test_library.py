"""TA-Lib is imported for arrays of NumPy alone."""

import subprocess
import sys

from tests.support.engine import ROOT

IMPORTED = """
import sys
from domain.indicators import compute
assert not {"pandas", "polars"} & set(sys.modules), "slow to import, and of no use here"
import numpy, pandas, polars, talib
assert talib.SMA(numpy.ones(3), 2)[-1] == 1
"""


def test_it_comes_without_table_libraries_which_others_import_as_ever() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
