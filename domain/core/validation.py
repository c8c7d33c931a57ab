"""What an email and a password must look like."""

import re
import unicodedata

from domain.core.errors import ErrorCode, InputError

MINIMUM_PASSWORD_LENGTH = 10
MAXIMUM_PASSWORD_LENGTH = 256
MAXIMUM_EMAIL_LENGTH = 254
MAXIMUM_NAME_LENGTH = 100

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")


def normalise_email(text: str) -> str:
    """Return the email in lower case without surrounding space; raise `InputError` where it isn't one.

    Only the shape is checked (one @, a dotted host, RFC 5321's lengths): whether it is read is for its owner to know.
    """
    # Canonical caseless matching (Unicode, 3.13): lower case alone tells a micro sign from the Greek letter.
    folded = unicodedata.normalize("NFD", text.strip()).casefold()
    email = unicodedata.normalize("NFC", folded)
    if len(email) > MAXIMUM_EMAIL_LENGTH or not email.isprintable() or not _EMAIL.fullmatch(email):
        shown = email if len(email) <= MAXIMUM_EMAIL_LENGTH else f"{email[:40]}…"
        raise InputError(
            ErrorCode.INVALID, f"{shown!r} is not an email address such as ada@example.com.", ("input", "email")
        )
    return email


def validate_password(password: str) -> None:
    """Raise `InputError` where the password is too short to be safe or too long to be hashed at ease."""
    if len(password) < MINIMUM_PASSWORD_LENGTH:
        raise InputError(
            ErrorCode.PASSWORD_TOO_WEAK,
            f"The password has {len(password)} characters; it must have at least {MINIMUM_PASSWORD_LENGTH}.",
            ("input", "password"),
        )
    if len(password) > MAXIMUM_PASSWORD_LENGTH:
        raise InputError(
            ErrorCode.INVALID,
            f"The password has {len(password)} characters; it may have at most {MAXIMUM_PASSWORD_LENGTH}.",
            ("input", "password"),
        )
    if not is_encodable(password):
        raise InputError(
            ErrorCode.INVALID,
            "The password has half of a surrogate pair in it, which is no text.",
            ("input", "password"),
        )


def is_encodable(text: str) -> bool:
    """Tell whether the text can be written as UTF-8; JSON can smuggle in halves of surrogate pairs, which can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def normalise_name(text: str, field: str) -> str:
    """Return a name to show without surrounding space; raise `InputError` where it is empty, long or unprintable."""
    name = text.strip()
    if not name or len(name) > MAXIMUM_NAME_LENGTH or not name.isprintable():
        raise InputError(
            ErrorCode.INVALID,
            f"{field} must have 1 to {MAXIMUM_NAME_LENGTH} printable characters, and has {len(name)}.",
            ("input", field),
        )
    return name
