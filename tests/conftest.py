"""What every test may ask for, and which process it runs in."""

from hypothesis import settings

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

pytest_plugins = ["tests.support.postgres", "tests.support.scheduling", "tests.support.moved_clock"]
