"""After a change of the secret key: seals under the new one what an earlier one sealed."""

import logging

from domain.ports.unit_of_work import Database
from infra.security import AesVault

log = logging.getLogger(__name__)


async def reseal_credentials(database: Database, vault: AesVault) -> int:
    """Seal the credentials of all accounts under the present key; return how many weren't.

    What no key opens stays as it is: its account says so when it is used.
    """
    async with database.read_only() as reading:
        sealed = await reading.accounts.all_credentials()
    renewed = 0
    for account_id, old in sealed.items():
        try:
            new = vault.renewed(old, account_id)
        except ValueError:
            log.warning("the credentials of account %s were sealed under a key that isn't set", account_id)
            continue
        if new is not None:
            async with database.transaction() as transaction:
                renewed += await transaction.accounts.replace_credentials(account_id, old, new)
    log.info("sealed the credentials of %d accounts anew, of %d", renewed, len(sealed))
    return renewed
