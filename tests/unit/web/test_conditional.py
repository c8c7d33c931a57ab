"""Tags of answers, and the lists of them that clients send."""

import pytest

from infra.web.http.conditional import entity_tag, matches, validated
from infra.web.http.messages import HttpResponse

TAG = entity_tag(b"data")
STRONG = TAG.removeprefix("W/")


def test_a_tag_is_weak_and_of_the_data() -> None:
    assert TAG.startswith('W/"')
    assert entity_tag(b"data") == TAG != entity_tag(b"other")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (None, False), ("", False), ("*", True), (" * ", True), (TAG, True), (STRONG, True),
        (f'"a", {TAG}', True), (f'"a",{STRONG},W/"b"', True), ('W/"", "a"', False), (f'"a{STRONG[1:]}', False),
        (STRONG.strip('"'), False), (f'"a,{STRONG[1:]}', False), ('"*"', False), (f"{TAG}, *", True), ('"', False),
    ],
)  # fmt: skip
def test_a_list_of_tags_is_compared_weakly(sent: str | None, *, expected: bool) -> None:
    assert matches(sent, TAG) is expected


def test_an_answer_that_the_client_has_is_sent_without_body_and_its_headers() -> None:
    response = HttpResponse(
        b"{}", 200, [(b"cache-control", b"no-store"), (b"vary", b"accept"), (b"content-type", b"x"), (b"a", b"1")]
    )
    found = validated(response, b"data", TAG)
    assert (found.status, found.body) == (304, b"")
    expected = {
        b"a": b"1",
        b"etag": TAG.encode(),
        b"cache-control": b"private, no-cache",
        b"vary": b"accept, authorization",
    }
    assert dict(found.headers) == expected
    whole = validated(response, b"other", TAG)
    assert (whole.status, whole.body) == (200, b"{}")
    assert dict(whole.headers) == {**expected, b"content-type": b"x", b"etag": entity_tag(b"other").encode()}
