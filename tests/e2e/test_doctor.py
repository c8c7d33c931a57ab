import json

from tests.support.engine import Engine, run_program

PATIENCE = "60"


def test_the_doctor_finds_a_running_engine_well_and_a_misspelt_setting_with_it(engine: Engine) -> None:
    arguments = ("doctor", "--timeout", PATIENCE, "--data-dir", str(engine.folder))
    well = run_program(*arguments, "--json", R3EDGE_PORT=str(engine.port))
    report = json.loads(well.stdout)
    found = {each["check"]: each for each in report["findings"]}
    assert (well.returncode, report["healthy"], well.stderr) == (0, True, ""), well.stdout
    assert found["web.engine"]["message"] == "the engine is ready"
    assert {found[check]["status"] for check in ("database.schema", "database.fsync", "venue.sandbox")} == {"OK"}

    misspelt = run_program(*arguments, R3EDGE_PORT=str(engine.port), R3EDGE_SMTP_PASWORD="hunter2")
    assert misspelt.returncode == 1
    assert "did you mean R3EDGE_SMTP_PASSWORD?" in " ".join(misspelt.stdout.split())
    assert "database.schema" in misspelt.stdout
    assert "hunter2" not in misspelt.stdout + misspelt.stderr


def test_settings_that_cannot_be_used_are_reported_with_what_needs_none() -> None:
    done = run_program("doctor", "--json", R3EDGE_PORT="x", R3EDGE_SECRET_KEY="hunter2")
    found = [(each["check"], each["status"]) for each in json.loads(done.stdout)["findings"]]
    assert done.returncode == 1
    assert found[:2] == [("settings", "ERROR"), ("settings", "ERROR")]
    assert ("versions.engine", "OK") in found
    assert "hunter2" not in done.stdout + done.stderr
