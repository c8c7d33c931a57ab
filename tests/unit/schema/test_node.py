from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.errors import ErrorCode, InputError
from resolvers.ids import decode_id
from schema.common.node import decode_id_of_type, decode_uuid, encode_id


@given(st.from_regex(r"[A-Z][A-Za-z]{0,30}", fullmatch=True), st.text(min_size=1, max_size=40))
def test_an_id_comes_back_as_it_went_out_and_is_safe_in_urls(type_name: str, key: str) -> None:
    id = encode_id(type_name, key.replace("\ud800", ""))  # noqa: A001
    assert id.replace("-", "").replace("_", "").isalnum()
    assert decode_id(id) == (type_name, key)


@given(st.text(max_size=400))
def test_no_text_breaks_the_reader(text: str) -> None:
    parts = decode_id(text)
    assert parts is None or all(parts)


def test_an_id_of_another_type_finds_nothing_and_the_error_has_its_path() -> None:
    id = encode_id("TradingSession", uuid4())  # noqa: A001
    with pytest.raises(InputError) as raised:
        decode_id_of_type(id, "Account", ("input", "account"))
    assert (raised.value.code, raised.value.path) == (ErrorCode.NOT_FOUND, ("input", "account"))
    assert raised.value.message == "There is no account with this id."
    with pytest.raises(InputError, match="There is no trading session with this id"):
        decode_uuid(encode_id("TradingSession", "x"), "TradingSession", ("id",))
    key = uuid4()
    assert decode_uuid(encode_id("Account", key), "Account", ("id",)) == UUID(str(key))
