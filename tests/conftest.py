"""What every test may ask for, and which process it runs in."""

pytest_plugins = ["tests.support.postgres", "tests.support.scheduling", "tests.support.moved_clock"]
