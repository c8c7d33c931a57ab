import pytest

from infra.runtime.serve import web_settings
from infra.settings import Settings


@pytest.mark.parametrize(
    ("introspection", "field_suggestions", "suggests"),
    [(True, None, True), (False, None, False), (True, False, False), (False, True, True)],
)
def test_errors_suggest_names_wherever_the_schema_is_no_secret_unless_it_is_set(
    introspection: bool, field_suggestions: bool | None, suggests: bool
) -> None:
    settings = Settings(introspection=introspection, field_suggestions=field_suggestions)
    assert web_settings(settings).suggestions is suggests


def test_the_size_from_which_answers_are_compressed_is_that_of_the_settings() -> None:
    assert web_settings(Settings()).gzip_min_bytes == 2_048
    assert web_settings(Settings(gzip_min_bytes=0)).gzip_min_bytes == 0
