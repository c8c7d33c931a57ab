from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.errors import ErrorCode, InputError
from domain.core.validation import normalise_email, normalise_name, validate_email, validate_password


@pytest.mark.parametrize(
    "text",
    [
        "", "ada", "ada@", "@example.com", "ada@example", "a b@example.com", "ada@@example.com", "ada@exa\0mple.com",
        "ada@.com", "ada@example..com", "ada\ud800@example.com", "ada@example.com\u202e", "a" * 65 + "@example.com",
        "ada@" + "a" * 250 + ".com",
    ],
)  # fmt: skip
def test_what_is_no_email_is_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        validate_email(text)
    assert refused.value.code is ErrorCode.INVALID
    assert refused.value.path == ("input", "email")
    assert len(refused.value.message) < 350


@pytest.mark.parametrize("email", ["ada@stra\u00dfe.de", "gro\u00df@example.com", "\u00b5@example.com"])
def test_an_address_that_would_become_somebody_elses_is_refused(email: str) -> None:
    with pytest.raises(InputError, match="stands for others") as refused:
        validate_email(email)
    assert (refused.value.code, refused.value.path) == (ErrorCode.INVALID, ("input", "email"))


def test_an_email_is_the_same_in_every_case_and_form_of_writing() -> None:
    assert normalise_email("  Ada.Lovelace@Example.COM ") == "ada.lovelace@example.com"
    assert normalise_email("zoe\u0301@example.com") == normalise_email("zo\u00e9@example.com")
    assert normalise_email("\u00b5@example.com") == normalise_email("\u00b5@example.com".upper())


@pytest.mark.parametrize(
    "email",
    ["ada@host.local", "ada@example.test", "ada@b\u00fccher.example", "\u0430\u0434\u0430@example.com", "a+b@c.de"],
)
def test_addresses_of_every_script_and_of_the_own_network_are_taken_as_they_are(email: str) -> None:
    assert validate_email(email) == email


@pytest.mark.parametrize("email", ["ada.@example.com", "a(b@example.com", "ada@ex_ample.com"])
def test_one_that_older_rules_took_can_still_be_looked_up(email: str) -> None:
    with pytest.raises(InputError):
        validate_email(email)
    assert normalise_email(email) == email


@pytest.mark.parametrize(
    "text", ["", "ada", "ada@", "ada@example", "@example.com", "ada\0@example.com", "ada@" + "a" * 250 + ".com"]
)
def test_what_can_be_no_email_is_not_looked_up(text: str) -> None:
    with pytest.raises(InputError, match="is not an email address"):
        normalise_email(text)


@pytest.mark.parametrize("rules", [normalise_email, validate_email])
@given(text=st.text(st.characters(codec=None)))
def test_whatever_is_taken_as_email_can_be_stored(rules: Callable[[str], str], text: str) -> None:
    try:
        email = rules(text + "@example.com")
    except InputError:
        return
    assert "\0" not in email
    assert email.encode()
    assert rules(email) == email


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", ErrorCode.PASSWORD_TOO_WEAK),
        ("123456789", ErrorCode.PASSWORD_TOO_WEAK),
        ("a" * 257, ErrorCode.INVALID),
        ("half a pair \ud800", ErrorCode.INVALID),
    ],
)
def test_a_password_that_is_weak_or_no_text_is_refused_without_being_repeated(password: str, code: ErrorCode) -> None:
    with pytest.raises(InputError) as refused:
        validate_password(password)
    assert refused.value.code is code
    assert refused.value.path == ("input", "password")
    assert password not in refused.value.message


def test_ten_characters_of_any_script_are_enough() -> None:
    validate_password("1234567890")
    validate_password("пароль-длинный 🔑")


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\0b", "a\nb", "\ud800"])
def test_a_name_that_cannot_be_shown_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="printable"):
        normalise_name(name, "displayName")
