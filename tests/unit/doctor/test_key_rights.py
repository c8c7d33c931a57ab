import pytest

from infra.venues.ccxt.profiles.key_rights import KeyRights, binance_rights, bybit_rights, kraken_rights, okx_rights

BINANCE = {
    "ipRestrict": False, "createTime": 1698645219000, "enableReading": True, "enableWithdrawals": False,
    "enableInternalTransfer": False, "permitsUniversalTransfer": True, "enableSpotAndMarginTrading": True,
}  # fmt: skip
BYBIT = {"readOnly": 0, "permissions": {"Spot": ["SpotTrade"], "Wallet": ["AccountTransfer"]}, "ips": ["*"]}


def test_binances_answer() -> None:
    assert binance_rights(BINANCE) == KeyRights(may_trade=True, may_withdraw=False, is_bound=False)
    changed = BINANCE | {"enableWithdrawals": True, "ipRestrict": True, "enableSpotAndMarginTrading": False}
    assert binance_rights(changed) == KeyRights(may_trade=False, may_withdraw=True, is_bound=True)


@pytest.mark.parametrize(
    ("changes", "rights"),
    [
        ({}, KeyRights(may_trade=True, may_withdraw=False, is_bound=False)),
        ({"readOnly": 1}, KeyRights(may_trade=False, may_withdraw=False, is_bound=False)),
        ({"ips": ["10.1.2.3"]}, KeyRights(may_trade=True, may_withdraw=False, is_bound=True)),
        ({"permissions": {"Wallet": ["Withdraw"]}}, KeyRights(may_trade=False, may_withdraw=True, is_bound=False)),
    ],
)
def test_bybits_answer(changes: dict[str, object], rights: KeyRights) -> None:
    assert bybit_rights({"result": BYBIT | changes}) == rights


def test_okxs_answer_has_the_rights_in_one_text() -> None:
    answer = {"data": [{"perm": "read_only, trade,withdraw", "ip": "10.1.2.3"}]}
    assert okx_rights(answer) == KeyRights(may_trade=True, may_withdraw=True, is_bound=True)


def test_krakens_answer_need_not_have_addresses() -> None:
    answer = {"result": {"permissions": ["query-funds", "withdraw-funds"]}}
    assert kraken_rights(answer) == KeyRights(may_trade=False, may_withdraw=True, is_bound=None)
