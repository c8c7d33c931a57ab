"""Every field and mutation for everybody: no user reads or changes an object of another user.

The tables in tests/support/authorisation.py say who may do what. A field that they don't know fails here, so that
its author has to say whose it is.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from domain.events.stream import EventLogReader
from domain.execution.service import OrderService
from domain.model.users import ALL_SCOPES, Identity, User, UserRole
from infra.postgres.repositories.accounts import PostgresAccounts
from infra.postgres.repositories.jobs import PostgresJobs
from infra.postgres.repositories.orders import PostgresOrders
from infra.postgres.repositories.positions import PostgresPositions
from infra.postgres.repositories.reports import PostgresReports
from infra.postgres.repositories.strategies import PostgresStrategies
from infra.postgres.repositories.trading_sessions import PostgresTradingSessions
from infra.postgres.repositories.transfers import PostgresTransfers
from infra.postgres.repositories.users import PostgresUsers
from resolvers import nodes
from resolvers.context import RequestContext
from tests.support import authorisation as rules
from tests.support.api import Api
from tests.support.authorisation_matrix import seeded


def test_every_field_node_mutation_and_subscription_is_classified() -> None:
    assert set(rules.fields_of("Query")) == set(rules.QUERIES)
    assert set(rules.fields_of("Mutation")) == set(rules.MUTATIONS)
    assert set(rules.fields_of("Subscription")) == set(rules.SUBSCRIPTIONS)
    assert set(rules.fields_of("User")) == rules.VIEWER
    nodes = {member.name for member in rules.SCHEMA.get_possible_types(rules.SCHEMA.type_map["Node"])}
    assert nodes == rules.PRIVATE_NODES | rules.PUBLIC_NODES | rules.OPERATOR_NODES


def test_every_mutation_declares_the_scope_of_the_table() -> None:
    declared = {
        name: field.extensions["strawberry-definition"].metadata["scope"]
        for name, field in rules.fields_of("Mutation").items()
    }
    assert {name: scope.value if scope else "anybody" for name, scope in declared.items()} == {
        name: scope for name, (scope, _) in rules.MUTATIONS.items()
    }


async def test_no_user_reads_or_changes_objects_of_another(api: Api) -> None:
    matrix = await seeded(api)
    assert set(matrix.ids) == rules.PRIVATE_NODES, "the victim has something of every type"
    amounts = {"1.15973", "2.71937", "777.13579", "93.95723"}
    assert amounts <= matrix.markers, "the private values include amounts"
    assert await matrix.run() == []
    assert matrix.cells > 800


Break = Callable[[pytest.MonkeyPatch, User], None]


def _asks_as(cls: type, method: str) -> Break:
    """Let a method that looks things up for a user do so for the victim: its owner check is gone."""

    original = getattr(cls, method)  # here, so that a renamed method is noticed when the tests are collected

    def apply(patch: pytest.MonkeyPatch, victim: User) -> None:
        patch.setattr(cls, method, lambda self, _user, *rest, **named: original(self, victim.id, *rest, **named))

    return apply


def _owner_is_not_asked(patch: pytest.MonkeyPatch, _victim: User) -> None:
    def owned(_context: RequestContext, load: Callable[[UUID], Any]) -> Any:
        return lambda key: load(UUID(key))

    patch.setattr(nodes, "owned_loader", owned)


def _strangers_are_the_victim(patch: pytest.MonkeyPatch, victim: User) -> None:
    patch.setattr(RequestContext, "user_id", property(lambda _context: victim.id))


def _scopes_are_not_asked(patch: pytest.MonkeyPatch, _victim: User) -> None:
    patch.setattr(Identity, "may", lambda _identity, _scope: True)


def _strangers_may_act(patch: pytest.MonkeyPatch, victim: User) -> None:
    stranger = Identity(victim, UUID(int=9), ALL_SCOPES, None, is_login_session=True)
    patch.setattr(RequestContext, "require", lambda context, _scope: context.identity or stranger)


def _anybody_is_an_operator(patch: pytest.MonkeyPatch, _victim: User) -> None:
    patch.setattr("domain.trading.halts.UserRole", SimpleNamespace(OPERATOR=UserRole.USER))


BREAKS: dict[str, Break] = {
    "the owner of a node": _owner_is_not_asked,
    "scopes": _scopes_are_not_asked,
    "who a stranger is": _strangers_are_the_victim,
    "that somebody is signed in": _strangers_may_act,
    "that only an operator halts others": _anybody_is_an_operator,
    **{
        f"the owner in {cls.__name__}.{method}": _asks_as(cls, method)
        for cls, methods in {
            OrderService: ("cancel",),
            PostgresOrders: ("get", "get_fill"),
            PostgresAccounts: ("get",),
            PostgresStrategies: ("get_for_update", "get_version", "archive"),
            PostgresTradingSessions: ("get",),
            PostgresPositions: ("get",),
            PostgresJobs: ("get",),
            PostgresReports: ("get_report",),
            PostgresTransfers: ("get",),
            PostgresUsers: ("get_activity", "api_keys", "login_sessions", "revoke_api_key", "revoke_login_session"),
            EventLogReader: ("start", "head"),
        }.items()
        for method in methods
    },
}
QUICK = {"the owner of a node"}
"""What each test run tries, since it is found at once; the others are for `pytest -m slow`."""


@pytest.mark.parametrize(
    "check", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in BREAKS]
)
async def test_a_check_that_is_taken_out_is_noticed(api: Api, monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    matrix = await seeded(api)
    BREAKS[check](monkeypatch, matrix.victim)
    assert await matrix.run(to_the_first=True) != []
