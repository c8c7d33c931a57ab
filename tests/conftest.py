"""What every test may ask for."""

from tests.support.scheduling import pytest_xdist_make_scheduler as pytest_xdist_make_scheduler

pytest_plugins = ["tests.support.postgres"]
