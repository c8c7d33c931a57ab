"""All accounts together, in one currency: the sum of the parts, and nothing that is counted as nothing."""

from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.model.profit import CurrencyAmount
from domain.model.trading import Balance
from domain.portfolio.overview import PortfolioOverview, portfolio_overview
from tests.support.trading import NOW, new_account

NOBODY = UUID(int=0)
RATES = {("one", "USDT"): Decimal(1), ("one", "BTC"): Decimal(50_000), ("two", "BTC"): Decimal(50_100)}
accounts = st.lists(
    st.tuples(
        st.sampled_from(["one", "two"]),
        st.dictionaries(st.sampled_from(["USDT", "BTC", "XYZ"]), st.integers(0, 10**6).map(Decimal)),
    ),
    max_size=5,
)


def overview(*held: tuple[str, dict[str, Decimal]]) -> PortfolioOverview:
    """Return the overview of accounts, each at a venue and with balances."""
    opened = [new_account(NOBODY, venue=venue) for venue, _ in held]
    balances = {
        account.id: [Balance(currency, amount, amount) for currency, amount in of_account.items()]
        for account, (_, of_account) in zip(opened, held, strict=True)
    }

    def convert(venue: str, amount: Decimal, currency: str) -> Decimal | None:
        rate = RATES.get((venue, currency))
        return None if rate is None else amount * rate

    return portfolio_overview("USDT", opened, balances, convert, NOW)


def test_what_has_no_price_at_its_venue_is_named() -> None:
    found = overview(("one", {"USDT": Decimal(100), "BTC": Decimal(1)}), ("two", {"USDT": Decimal(7)}))
    assert found.total == 50_100
    assert found.unpriced == (CurrencyAmount("USDT", Decimal(7)),)
    assert [(each.worth, each.unpriced) for each in found.accounts] == [
        (50_100, ()), (None, (CurrencyAmount("USDT", Decimal(7)),)),
    ]  # fmt: skip
    assert [(each.currency, each.amount, each.worth, each.unpriced_amount) for each in found.assets] == [
        ("BTC", 1, 50_000, 0), ("USDT", 107, 100, 7),
    ]  # fmt: skip


def test_nothing_is_worth_nothing_and_what_cannot_be_priced_is_worth_no_number() -> None:
    assert overview().total == 0
    assert overview(("one", {})).accounts[0].worth == 0
    assert overview(("one", {"XYZ": Decimal(5)})).total is None


@given(accounts)
def test_accounts_and_currencies_both_add_up_to_the_total(held: list[tuple[str, dict[str, Decimal]]]) -> None:
    found = overview(*held)
    total = found.total or 0
    assert sum(each.worth or 0 for each in found.accounts) == total
    assert sum(each.worth or 0 for each in found.assets) == total
    left_out = sum(each.amount for account in found.accounts for each in account.unpriced)
    assert left_out == sum(each.amount for each in found.unpriced)
    assert left_out == sum(each.unpriced_amount for each in found.assets)
    if total:
        assert abs(sum(each.share_percent or 0 for each in found.accounts) - 100) < 1e-6
