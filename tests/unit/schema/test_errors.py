from dataclasses import dataclass
from types import SimpleNamespace

import strawberry
from graphql import GraphQLError

from domain.core.errors import ErrorCode, FaultCode, InputErrors, RequestFault
from domain.core.errors import InputError as DomainInputError
from schema.common.engine_schema import EngineSchema
from schema.common.errors import InputError, UserError, error_type, public_error
from schema.common.mutations import Fields, mutation
from schema.common.types import Info
from tests.support.engine_log import EngineLog


class RuleError(DomainInputError):
    def __init__(self, start: int) -> None:
        super().__init__(ErrorCode.STRATEGY_INVALID, "bad rule", ("input", "enterLong"))
        self.start = start


class EmailTakenError(DomainInputError): ...


@error_type(RuleError)
@strawberry.type
class RuleMistakeError(UserError):
    start: int | None


@dataclass(frozen=True)
class Thing:
    name: str


@strawberry.type
class ThingType:
    name: str


@strawberry.type
class Payload:
    thing: ThingType | None
    requested: int
    errors: list[UserError]


@strawberry.type
class Query:
    one: int = 1


@strawberry.type
class Mutation:
    @mutation(Payload, scope=None, description="Act.", requested=0)
    async def act(self, info: Info, how: str) -> Fields:
        if how == "one":
            raise EmailTakenError(ErrorCode.EMAIL_TAKEN, "taken", ("input", "email"))
        if how == "many":
            raise InputErrors([RuleError(3), DomainInputError(ErrorCode.INVALID, "bad")])
        if how == "fault":
            raise RequestFault(FaultCode.FORBIDDEN, "no")
        return {"thing": Thing("a"), "requested": 2}


SCHEMA = EngineSchema(Query, Mutation, types=[InputError, RuleMistakeError])
QUERY = """mutation ($how: String!) { act(how: $how) { thing { name } requested
  errors { __typename code message path ... on RuleMistakeError { start } } } }"""


async def act(how: str):  # noqa: ANN201
    context = SimpleNamespace(reset_loaders=lambda: None)  # nothing is loaded here
    return await SCHEMA.execute(QUERY, {"how": how}, context)


async def test_a_payload_holds_domain_objects_or_errors() -> None:
    assert (await act("well")).data == {"act": {"thing": {"name": "a"}, "requested": 2, "errors": []}}
    error = {"__typename": "InputError", "code": "EMAIL_TAKEN", "message": "taken", "path": ["input", "email"]}
    assert (await act("one")).data == {"act": {"thing": None, "requested": 0, "errors": [error]}}


async def test_an_error_is_shown_as_the_type_of_its_nearest_class() -> None:
    (rule, plain) = (await act("many")).data["act"]["errors"]
    assert (rule["__typename"], rule["start"], rule["path"]) == ("RuleMistakeError", 3, ["input", "enterLong"])
    assert (plain["__typename"], plain["path"]) == ("InputError", None)


async def test_faults_pass_through_the_payload_to_the_top() -> None:
    (error,) = (await act("fault")).errors
    assert public_error(error) == {
        "message": "no",
        "locations": [{"line": 1, "column": 28}],
        "path": ["act"],
        "extensions": {"code": "FORBIDDEN"},
    }


def test_an_unexpected_error_is_masked_and_logged_under_its_id(engine_log: EngineLog) -> None:
    shown = public_error(GraphQLError("secret", path=["a"], original_error=KeyError("secret")))
    assert shown["message"] == "Internal error"
    assert "secret" not in str(shown)
    assert shown["extensions"]["errorId"] in engine_log()


def test_errors_in_the_document_pass_with_a_code() -> None:
    assert public_error(GraphQLError("Unknown field"))["extensions"] == {"code": "INVALID"}
    assert public_error(GraphQLError("x", extensions={"code": "OPERATION_TOO_COMPLEX"}))["extensions"] == {
        "code": "OPERATION_TOO_COMPLEX"
    }


def test_an_input_error_outside_of_a_payload_keeps_its_code() -> None:
    error = GraphQLError("x", path=["a"], original_error=DomainInputError(ErrorCode.NOT_FOUND, "gone"))
    assert public_error(error)["extensions"] == {"code": "NOT_FOUND"}
