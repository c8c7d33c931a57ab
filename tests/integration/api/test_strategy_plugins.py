"""What plug-ins gave is listed by the API, with what is wrong for operators alone."""

from dataclasses import replace

from domain.model.strategy_templates import StrategyPlugin, TemplateCatalogue
from domain.model.users import UserRole
from domain.strategies.templates import TEMPLATES
from tests.support.api import Api

QUERY = """{ strategyTemplates { name package }
  engine { strategyPlugins { name package version templates working errors } } }"""
PLUGIN = StrategyPlugin("main", "some-package", "1.2", ("mine",), ("template 2: it is broken",))


async def test_templates_of_packages_are_listed_and_their_errors_shown_to_operators(api: Api) -> None:
    mine = replace(TEMPLATES[0], name="mine", package="some-package")
    services = replace(api.services, templates=TemplateCatalogue((*TEMPLATES, mine), (PLUGIN,)))
    shown = {}
    for name, user in (
        ("nobody", None),
        ("user", api.harness.user),
        ("operator", replace(api.harness.user, role=UserRole.OPERATOR)),
    ):
        context = api.context(user)
        context.services = services
        answer = await api.run(QUERY, context)
        assert answer["strategyTemplates"][-1] == {"name": "mine", "package": "some-package"}
        assert {template["package"] for template in answer["strategyTemplates"][:-1]} == {None}
        (plugin,) = answer["engine"]["strategyPlugins"]
        assert (plugin["package"], plugin["version"], plugin["templates"]) == ("some-package", "1.2", ["mine"])
        assert not plugin["working"]
        shown[name] = plugin["errors"]
    assert shown == {"nobody": None, "user": None, "operator": ["template 2: it is broken"]}
