"""Random operations over the whole schema, valid ones and ones with a fault, sent to a running engine.

Whatever is asked, the answer is in the shape of GraphQL: no status of 5xx, no internal error, a code beside each error,
and no line of the log with a traceback (see `conftest.py`).
"""

import os
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from graphql import StringValueNode, build_schema
from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st
from hypothesis_graphql import Mode, from_schema

from tests.e2e.test_bad_input import assert_nothing_internal
from tests.support.engine import ROOT, Engine
from tests.support.trader_client import TraderClient
from tests.support.waiting import PATIENCE_SECONDS

OPERATIONS = int(os.environ.get("R3EDGE_TEST_OPERATIONS", "300"))
"""How many, of which a third has a fault each."""

SCHEMA = build_schema((ROOT / "schema" / "schema.graphql").read_text())
PHASES = [Phase.generate, *([Phase.shrink] if OPERATIONS > 1_000 else [])]
ENDS_THE_SESSION = {"userLogout", "userErase", "loginSessionsRevoke"}
"""Mutations after which all others would be refused for their token."""


def _texts(*values: str) -> st.SearchStrategy[StringValueNode]:
    return st.sampled_from(values).map(lambda value: StringValueNode(value=value))


SCALARS = {
    "Decimal": _texts("1.5", "0.001", "-1", "1e400", "NaN", "x", ""),
    "DateTime": _texts("2026-01-01T00:00:00Z", "2026-01-01T00:00:00+05:30", "0001-01-01T00:00:00+14:00", "yesterday"),
    "MarketSymbol": _texts("sandbox:BTC/USDT", "sandbox:NO/SUCH", "x"),
    "Sequence": _texts("5", "-1", "99999999999999999999999"),
}


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=PATIENCE_SECONDS, trust_env=False) as client:
        yield client


@pytest.mark.timeout(3_600 if OPERATIONS > 1_000 else 300)
def test_random_operations_are_answered_without_a_failure_inside(
    engine: Engine, nobody: TraderClient, client: httpx.Client
) -> None:
    roots = [SCHEMA.query_type, SCHEMA.mutation_type]
    fields = [name for root in roots if root for name in root.fields if name not in ENDS_THE_SESSION]
    ids = _texts(nobody.account, nobody.account[:-2], "x", "")
    codes: Counter[str] = Counter()

    def send(document: str, *, signed_in: bool) -> None:
        headers = {"authorization": f"Bearer {nobody.client.token}"} if signed_in else {}
        note(document)
        response = client.post(engine.graphql_url, json={"query": document}, headers=headers)
        assert response.status_code < 500, response.text
        answer = response.json()
        assert_nothing_internal(answer.get("errors"))
        for error in answer.get("errors", ()):
            assert error["message"]
            codes[error["extensions"]["code"]] += 1
            event(error["extensions"]["code"])
        codes["answered"] += "errors" not in answer

    def run(mode: Mode, count: int) -> None:
        documents = from_schema(SCHEMA, fields=fields, custom_scalars={**SCALARS, "ID": ids}, mode=mode)

        @settings(max_examples=count, suppress_health_check=list(HealthCheck), phases=PHASES, database=None)
        @given(documents, st.booleans())
        def check(document: str, signed_in: bool) -> None:
            send(document, signed_in=signed_in)

        check()

    run(Mode.POSITIVE, OPERATIONS * 2 // 3)
    run(Mode.NEGATIVE, OPERATIONS // 3)
    print(codes)  # noqa: T201  # what was tried, for who runs many by hand
    assert codes["answered"] > OPERATIONS // 20
    assert codes["RATE_LIMITED"] < OPERATIONS // 10
