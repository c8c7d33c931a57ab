import importlib.metadata

import pytest

from infra.doctor.findings import Status
from infra.doctor.software import check_versions


def test_this_environment_has_what_is_needed() -> None:
    assert {each.status for each in check_versions() if each.check != "versions.python"} == {Status.OK}


def test_a_library_that_is_too_old_or_not_there_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "uvloop":
            raise importlib.metadata.PackageNotFoundError(name)
        return "4.0" if name == "ccxt" else real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    (finding,) = (each for each in check_versions() if each.check == "versions.libraries")
    assert finding.status is Status.ERROR
    assert finding.message == "ccxt 4.0 is installed, and >=4.5.90 needed; uvloop is not installed"


@pytest.mark.parametrize(("python", "status"), [("3.10.1", Status.ERROR), ("3.14.0", Status.WARNING)])
def test_a_python_that_is_not_tested_is_reported(monkeypatch: pytest.MonkeyPatch, python: str, status: Status) -> None:
    monkeypatch.setattr("platform.python_version", lambda: python)
    assert check_versions()[0].status is status
