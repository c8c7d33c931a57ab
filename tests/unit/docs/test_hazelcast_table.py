"""The table of what Hazelcast holds (docs/architecture/cluster.md), against the code and the shipped configuration."""

import re
from pathlib import Path

from domain.ports.cache import CacheSpace
from infra.hazelcast.frames import SHARDS

ROOT = Path(__file__).parents[3]


def first_cells() -> list[str]:
    """Return what each row of the table names first."""
    text = (ROOT / "docs" / "architecture" / "cluster.md").read_text()
    section = text.split("## What Hazelcast holds\n")[1].split("\n## ")[0]
    return [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")]


def test_every_map_of_the_cache_and_every_topic_of_the_bus_has_a_row_and_nothing_else_has() -> None:
    maps = [f"map `r3edge-{space.value}`" for space in CacheSpace]
    topics = f"reliable topics `{SHARDS[0]}` to `{SHARDS[-1]}`"
    assert first_cells() == ["structure", "---", *maps, topics]


def test_the_client_of_hazelcast_is_asked_for_no_other_structure() -> None:
    sources = {path.name: path.read_text() for path in (ROOT / "infra" / "hazelcast").glob("*.py")}
    structures = {
        (name, call) for name, source in sources.items() for call in re.findall(r"client\.(get_\w+)\((.*?)\)", source)
    }
    assert structures == {
        ("cache.py", ("get_map", 'f"r3edge-{space.value}"')),
        ("shards.py", ("get_reliable_topic", "shard")),
    }


def test_the_bounds_in_the_table_are_those_of_the_shipped_configuration() -> None:
    config = (ROOT / "deploy" / "hazelcast.xml").read_text()
    table = (ROOT / "docs" / "architecture" / "cluster.md").read_text()
    for kind, size in re.findall(r'<map name="r3edge-(\S+)">.*?size="(\d+)"', config, re.DOTALL):
        assert f"{int(size):,}" in table, kind
    (capacity,) = re.findall(r"<capacity>(\d+)<", config)
    assert f"{int(capacity):,} messages a lane" in table
