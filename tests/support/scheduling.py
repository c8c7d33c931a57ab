"""Which tests run in the same process: those that share a program that is dear to start, and to keep running."""

import pytest
from xdist.scheduler import LoadScopeScheduling

_ON_THE_SHARED_ENGINE = (
    "tests/e2e/test_bad_",
    "tests/e2e/test_first_session.py",
    "tests/e2e/test_logs.py",
    "tests/e2e/test_money_of_accounts.py",
    "tests/e2e/test_partial_answers.py",
    "tests/e2e/test_acceptance.py::test_the_main_job_holds",
)
_APART = (
    "tests/e2e/test_acceptance.py::test_the_main_job_holds_on_a_recording_while_the_engine_is_killed",
    "tests/e2e/test_logs.py::test_nothing_secret_is_logged_at_any_level",
    "tests/e2e/test_money_of_accounts.py::test_the_first_report_of_a_new_account",
)
_SHARING_IN_THEIR_FOLDER = ("tests/e2e/console/", "tests/integration/cache_bus/")
"""One browser at a time: it takes a core for itself. Members of Hazelcast take seconds to start."""
_WITH_PROGRAMS_OF_THEIR_OWN = ("tests/e2e/", "tests/faults/")


def process_of(test: str) -> str:
    """Return the name of what a test, named by its node id, runs in one process with."""
    if test.startswith(_APART):
        return test
    if test.startswith(_ON_THE_SHARED_ENGINE):
        return "the shared engine"
    for folder in _SHARING_IN_THEIR_FOLDER:
        if test.startswith(folder):
            return folder
    if test.startswith(_WITH_PROGRAMS_OF_THEIR_OWN):
        return test
    return test.partition("::")[0]


class Scheduling(LoadScopeScheduling):
    """Hands out tests in their order, and with each all that share its process."""

    def _split_scope(self, nodeid: str) -> str:
        return process_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    """Have pytest-xdist schedule so."""
    return Scheduling(config, log)
