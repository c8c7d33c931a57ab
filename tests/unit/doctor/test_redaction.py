import base64
import re

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from infra.doctor.findings import error, ok
from infra.doctor.redaction import HIDDEN, without_secrets
from infra.settings import Settings, is_secret
from infra.settings_loading import load_settings

SECRETS = sorted(name for name in Settings.model_fields if is_secret(name))


def test_every_secret_setting_is_known_as_one() -> None:
    named_so = {name for name in Settings.model_fields if re.search("secret|token|password", name)}
    assert named_so | {"database_url"} <= set(SECRETS)
    assert is_secret("SECRET_KEY")
    assert not is_secret("port")


@given(password=st.text("abc%é0", min_size=3, max_size=8), key=st.binary(min_size=32, max_size=32))
def test_no_secret_of_the_settings_is_printed_whatever_a_library_repeats(password: str, key: bytes) -> None:
    encoded = base64.b64encode(key).decode()
    settings = Settings.model_construct(
        database_url=SecretStr(f"postgresql://ada:{password.replace('%', '%25')}@db/r3edge"),
        secret_key=SecretStr(encoded),
        smtp_password=SecretStr(password),
        previous_secret_keys=(SecretStr(encoded),),
    )
    found = without_secrets([error("mail", f"535 {password} is bad", f"use {encoded}")], settings)
    assert found == [error("mail", f"535 {HIDDEN} is bad", f"use {HIDDEN}")]


def test_a_password_in_the_query_of_an_address_is_hidden_too() -> None:
    settings = load_settings(database_url="postgresql://db/r3edge?user=ada&password=hunter2")
    assert without_secrets([ok("database", "no hunter2")], settings) == [ok("database", f"no {HIDDEN}")]


def test_what_holds_no_secret_stays_as_it_is() -> None:
    found = [ok("database", "db:5432/r3edge answers")]
    assert without_secrets(found, load_settings(database_url="postgresql://u:p@db/r3edge")) == found
    assert without_secrets(found, None) == found
