"""The documents name what there is: every setting with its default, every code, metric, role and function."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

from domain.core.errors import ErrorCode, FaultCode
from domain.model.order_transitions import LEGAL
from domain.model.orders import OrderEventKind, RiskCode
from domain.model.plans import STANDARD_PLAN
from domain.model.users import ApiScope
from infra.postgres.rows.event_lines import ACTIVITY_LINES, JOB_LINES, ORDER_LINES, OTHER_LINES, TRADING_SESSION_LINES
from infra.settings import Role, Settings, is_secret
from infra.web.settings import WebSettings
from tests.support.all_metrics import OWN, all_metrics

ROOT = Path(__file__).parents[3]
API = (ROOT / "docs" / "api.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture" / "orders.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_operations_page_names_every_setting_with_its_default_and_meaning(name: str) -> None:
    field = Settings.model_fields[name]
    (row,) = re.findall(rf"^\| `R3EDGE_{name.upper()}` \| (.*) \| (.*) \|$", OPERATIONS, re.MULTILINE)
    assert row == (_shown(field.default), field.description)


def test_the_operations_page_names_no_setting_that_is_gone() -> None:
    known = {f"R3EDGE_{name.upper()}" for name in Settings.model_fields} | {"R3EDGE_CONFIG"}
    known |= {f"R3EDGE_{name.upper()}_FILE" for name in Settings.model_fields if is_secret(name)}
    known |= {"R3EDGE_SITE", "R3EDGE_TEST_OPERATIONS"}  # of compose.yaml, and of the tests
    for page in PAGES:
        assert set(re.findall(r"R3EDGE_[A-Z_\d]*[A-Z\d]", page.read_text())) <= known, page.name


def test_the_operations_page_names_every_metric_and_no_other() -> None:
    rows = re.findall(r"^\| (`r3edge_.*?) \|", OPERATIONS, re.MULTILINE)
    documented = [name for row in rows for name in re.findall(r"`(r3edge_[a-z_]+)`", row)]
    assert sorted(documented) == sorted(name for name in all_metrics() if name.startswith(OWN))


def test_the_operations_page_names_every_role() -> None:
    assert all(f"| `{role.value}` |" in OPERATIONS for role in Role)


@pytest.mark.parametrize("codes", [ErrorCode, FaultCode, RiskCode, ApiScope, OrderEventKind])
def test_the_api_guide_names_every_code(codes: type[StrEnum]) -> None:
    assert [code.value for code in codes if f"`{code.value}`" not in API] == []


def test_the_limits_in_the_api_guide_are_those_of_the_server() -> None:
    web = WebSettings()
    assert f"| {web.max_depth} · {web.max_aliases} · {web.max_directives} |" in API
    assert f"| {web.max_body_bytes // 1024} KiB · {web.max_message_bytes // 1024} KiB |" in API
    assert f"| tokens of a document | {web.max_tokens:,} |" in API
    assert f"| {web.max_cost:,}; `extensions.cost`" in API
    of_users = f"that of the plan, {STANDARD_PLAN.max_subscriptions:,} by default"
    assert f"| {of_users} · {web.max_subscriptions_per_anonymous:,}, over all" in API
    assert f"| {web.max_rooms_per_user} · {web.max_rooms_per_anonymous}; one that somebody has opened" in API
    assert f"| {web.queries_at_once_per_client} · {web.mutations_at_once_per_client}; up to " in API
    assert f"cost more than {web.heavy_cost}, at once | 1 of a client, {web.heavy_queries_at_once} of all" in API


def test_the_state_diagram_shows_no_illegal_transition() -> None:
    diagram = ARCHITECTURE.split("stateDiagram-v2")[1].split("```")[0]
    shown = re.findall(r"([A-Z_]+) --> ([A-Z_]+)", diagram)
    legal = {(before.value, after.value) for before, successors in LEGAL.items() for after in successors}
    assert {before for before, _ in shown} | {after for _, after in shown} == {status.value for status in LEGAL}
    assert set(shown) <= legal


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", page.read_text()):
        file = (page.parent / target) if target else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^a-z0-9 _-]", "", each.lower()).replace(" ", "-") for each in headings}


def _shown(default: object) -> str:
    match default:
        case None | ():
            return "none"
        case bool():
            return f"`{str(default).lower()}`"
        case tuple():
            return f"`{','.join(default)}`"
        case _:
            return f"`{default}`"


def test_the_operations_page_names_every_line_of_the_log() -> None:
    (section,) = re.findall(r"^## Logs$(.*?)^## ", OPERATIONS, re.MULTILINE | re.DOTALL)
    first = "".join(re.findall(r"^\| (.*?) \|", section, re.MULTILINE))
    steps = [*ORDER_LINES.values(), *TRADING_SESSION_LINES.values(), *JOB_LINES.values()]
    names = {*ACTIVITY_LINES.values(), *OTHER_LINES, *(name for name, _ in steps)}
    assert set(re.findall(r"`(\w+)`", first)) == names | {
        "activity",
        "alert",
        "http",
        "http_summed",
        "operation",
        "websocket",
    }
