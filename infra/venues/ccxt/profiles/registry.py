"""The venues that have a profile."""

from infra.venues.ccxt.profiles import binance, bybit, coinbase, kraken, okx
from infra.venues.ccxt.profiles.profile import VenueProfile

_PROFILES = {
    profile.ccxt_id: profile
    for profile in (binance.PROFILE, bybit.PROFILE, coinbase.PROFILE, kraken.PROFILE, okx.PROFILE)
}


def profile_of(ccxt_id: str) -> VenueProfile | None:
    """Return the profile of a venue by ccxt's id; None if the venue has none."""
    return _PROFILES.get("binance" if ccxt_id == "binanceus" else ccxt_id)
