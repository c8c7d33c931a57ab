"""Every query of the alert rules and of the board can be parsed, and asks for metrics and labels that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from tests.support.all_metrics import MetricKind, all_metrics

ROOT = Path(__file__).parents[3]
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "ops" / "prometheus" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
BOARD: dict[str, Any] = json.loads((ROOT / "ops" / "grafana" / "r3edge.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()

_METRICS = all_metrics()
_SUFFIXES = ("_bucket", "_sum", "_count")
_TARGET_LABELS = frozenset({"instance", "job", "le", "__name__"})
"""Those that Prometheus adds itself."""

QUERIES = {rule["alert"]: str(rule["expr"]) for rule in RULES} | {
    f"{panel['title']} {target['refId']}": str(target["expr"]) for panel in PANELS for target in panel["targets"]
}


def parsed(query: str) -> Any:
    """Return the query with values in the place of Grafana's variables."""
    return promql.parse(query.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$venue", ".*"))


def nodes(node: Any) -> Iterator[Any]:
    """Return a node and all below it."""
    yield node
    for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
        child = getattr(node, name, None)
        if isinstance(child, promql.Expr):
            yield from nodes(child)
    for child in getattr(node, "args", None) or []:
        yield from nodes(child)


def kind_of(name: str) -> MetricKind:
    """Return what there is by a name, of a histogram by those of its series too."""
    for suffix in _SUFFIXES:
        base = name.removesuffix(suffix)
        if base != name and base in _METRICS and _METRICS[base].kind == "histogram":
            return _METRICS[base]
    return _METRICS[name]


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_query_asks_for_metrics_and_labels_that_there_are(query: str) -> None:
    tree = list(nodes(parsed(query)))
    selectors = [node for node in tree if isinstance(node, promql.VectorSelector)]
    assert {node.name for node in selectors} == set(re.findall(r"\b(?:r3edge|process)_[a-z_]+", query))
    known = set(_TARGET_LABELS)
    for node in selectors:
        labels = kind_of(node.name).labels
        assert {matcher.name for matcher in node.matchers.matchers} <= labels | _TARGET_LABELS, node.name
        known |= labels
    for node in tree:
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            assert set(node.modifier.labels) <= known


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_counters_are_asked_for_by_their_rate_and_gauges_as_they_are(query: str) -> None:
    for node in nodes(parsed(query)):
        if isinstance(node, promql.Call) and node.func.name in {"rate", "increase"}:
            (selected,) = node.args
            assert kind_of(selected.vector_selector.name).kind in {"counter", "histogram"}
    outside = re.sub(r"(rate|increase)\([^()]*\)", "", query)
    assert all(kind_of(name).kind == "gauge" for name in re.findall(r"\b(?:r3edge|process)_[a-z_]+", outside))


def test_the_check_of_queries_finds_what_there_is_not() -> None:
    for query in (
        "r3edge_nothing",
        'r3edge_orders{colour="red"}',
        "sum by (colour) (r3edge_orders)",
        "rate(r3edge_orders",
    ):
        with pytest.raises((AssertionError, KeyError, ValueError)):
            test_a_query_asks_for_metrics_and_labels_that_there_are(query)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do_and_its_texts_name_labels_of_its_result(
    rule: dict[str, Any],
) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "action"}
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    result = [node for node in nodes(parsed(rule["expr"])) if isinstance(node, promql.AggregateExpr)]
    assert used <= {label for node in result if node.modifier is not None for label in node.modifier.labels}


def test_the_operations_page_names_every_alert_and_no_other() -> None:
    table = OPERATIONS.split("| alert |")[1].split("\n\n")[0]
    named = [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(rule["alert"] for rule in RULES)


def test_the_panels_of_the_board_lie_side_by_side_and_each_says_what_it_shows() -> None:
    taken = set[tuple[int, int]]()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert all(panel["description"] for panel in PANELS)
