from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from infra.security import HmacLinks

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_link_is_good_until_its_time_and_for_its_object_alone() -> None:
    links, object_id = HmacLinks(bytes(32), "exports"), uuid4()
    token = links.sign(object_id, NOW)
    assert links.verify(token, NOW - SECOND) == object_id
    assert links.verify(token, NOW) is None
    assert links.sign(uuid4(), NOW) != token


def test_a_link_that_is_changed_in_any_character_is_worthless() -> None:
    links = HmacLinks(bytes(32), "exports")
    token = links.sign(uuid4(), NOW + SECOND)
    for place, character in enumerate(token):
        other = "A" if character != "A" else "B"
        assert links.verify(token[:place] + other + token[place + 1 :], NOW) is None
    assert HmacLinks(bytes(31) + b"1", "exports").verify(token, NOW) is None


@pytest.mark.parametrize("token", ["", "A", "AAAA", "=", "é", "../../etc/passwd", "A" * 75, "A" * 10_000, "\0"])
def test_what_is_no_link_is_worthless(token: str) -> None:
    assert HmacLinks(bytes(32), "exports").verify(token, NOW) is None
