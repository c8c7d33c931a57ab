"""Says what a test does where something it needs is missing: skip, or fail where everything is required."""

import os

import pytest

MISSING = (pytest.skip.Exception, pytest.fail.Exception)
"""What `require_or_skip` raises; neither is an `Exception`, and programs that aren't pytest print its `msg`."""


def require_or_skip(condition: object, reason: str) -> None:
    """Skip the test for `reason` unless `condition` holds; with R3EDGE_REQUIRE_ALL=1 fail it instead."""
    if condition:
        return
    if os.environ.get("R3EDGE_REQUIRE_ALL") == "1":
        pytest.fail(f"everything is required (R3EDGE_REQUIRE_ALL=1), but {reason}", pytrace=False)
    pytest.skip(reason)
