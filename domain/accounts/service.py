"""Opens accounts for users, and changes, funds and archives them."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from domain.accounts.admission import (
    CURRENCY,
    OPENED,
    REPLACED,
    SEALED,
    AccountRequest,
    Paths,
    live_account_errors,
    one_account_a_key,
    paper_account_errors,
)
from domain.accounts.late_deposits import record_late_deposit
from domain.accounts.validation import (
    credential_errors,
    currency_errors,
    paper_errors,
    unknown_currency_errors,
)
from domain.core.changes import UNCHANGED, Changes, Unchanged, reject_nulls
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, InputErrors, Unavailable
from domain.core.pagination import KeysetPage
from domain.core.validation import normalise_name
from domain.events.idempotency import reserve, validate_key
from domain.model.events import NewEvent, UserEventKind
from domain.model.trading import (
    Account,
    AccountKind,
    AccountTransfer,
    Balance,
    RiskLimits,
    TransferKind,
    VenueCredentials,
)
from domain.ports.accounts import Vault
from domain.ports.bus import MessageBus
from domain.ports.execution_client import CredentialsRejected
from domain.ports.market_data import RequestRejected, VenueUnreachable
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.ports.venues import NoSuchPaperAccount, PaperRefused, PaperVenue, VenueDirectory
from domain.risk.limit_validation import validate_limits
from domain.users.activity import record_activity
from domain.users.identity_lock import lock_user

ACCOUNTS_TOPIC = "accounts-changed"
MAXIMUM_ACCOUNTS = 100
QUERY_TIMEOUT_SECONDS = 8.0

T = TypeVar("T")


class AccountService:
    """Opens and changes accounts."""

    def __init__(
        self, database: Database, venues: VenueDirectory, vault: Vault, bus: MessageBus, clock: Clock, ids: IdGenerator
    ) -> None:
        self._database = database
        self._venues = venues
        self._vault = vault
        self._bus = bus
        self._clock = clock
        self._ids = ids

    async def create(self, user_id: UUID, request: AccountRequest) -> Account:
        """Open an account: PAPER with its starting balances at a sandbox, LIVE with credentials that the venue accepts.

        Raises `InputErrors`, CREDENTIALS_REJECTED, CONFLICT, LIMIT_REACHED; `Unavailable` if the venue doesn't
        answer.
        """
        self._check(request)
        account = Account(
            id=self._ids.next_id(),
            user_id=user_id,
            name=request.name.strip(),
            kind=request.kind,
            venue=request.venue,
            currency=request.currency,
            created_at=self._clock.now(),
            risk=request.risk,
        )
        async with self._database.transaction() as transaction:
            if request.idempotency_key is not None:
                known = await self._reserve_key(transaction, user_id, request, account.id)
                if known is not None:
                    return known
            await self._check_count(transaction, user_id)
            credentials, balances = await self._connect(transaction, account, request)
            key_hash = self._vault.key_hash(credentials) if account.kind is AccountKind.LIVE else None
            await lock_user(transaction, user_id)
            with one_account_a_key(account, OPENED.credentials):
                await transaction.accounts.add(account, self._vault.seal(credentials, account.id), key_hash)
            await transaction.accounts.replace_balances(account.id, balances)
            await self._record_opening(transaction, account, balances)
            await self._publish_change(transaction, account, "accountCreate")
        await self._bus.publish(ACCOUNTS_TOPIC, account.id.bytes)
        return account

    async def update(
        self,
        user_id: UUID,
        account_id: UUID,
        name: str | Unchanged | None = UNCHANGED,
        risk: Changes[RiskLimits] | Unchanged | None = UNCHANGED,
    ) -> Account:
        """Change the name and those risk limits that are given; raises NOT_FOUND and INVALID."""
        reject_nulls(name=name, risk=risk)
        errors = validate_limits(risk.values, ("input", "risk")) if isinstance(risk, Changes) else []
        if errors:
            raise InputErrors(errors)
        async with self._database.transaction() as transaction:
            account = await self._get_owned(transaction, user_id, account_id)
            if isinstance(name, str):
                account = replace(account, name=normalise_name(name, "name"))
            if isinstance(risk, Changes):
                account = replace(account, risk=risk.apply_to(account.risk))
            await transaction.accounts.update(account)
            await self._publish_change(transaction, account, "accountUpdate")
        return account

    async def archive(self, user_id: UUID, account_id: UUID) -> Account:
        """Close an account for new orders; raises CONFLICT while anything of it is traded or protected."""
        async with self._database.transaction() as transaction:
            # An order that is being placed is seen here, or waits and finds the account archived.
            account = await self._get_owned(transaction, user_id, account_id, keep_new_rows_out=True)
            if account.archived_at is not None:
                return account
            if await transaction.orders.list_active(account_id) or await transaction.trading_sessions.list_live(
                account_id
            ):
                raise InputError(
                    ErrorCode.CONFLICT, "Stop its trading sessions and cancel its open orders first.", ("id",)
                )
            if await transaction.protection.needs_keeper(account_id):
                message = (
                    "Close the positions that it protects, or take their protection away, first. The protection of an "
                    "entry that ended without a fill is kept for ten minutes, since a fill may still be told."
                )
                raise InputError(ErrorCode.CONFLICT, message, ("id",))
            account = replace(account, archived_at=self._clock.now())
            await transaction.accounts.update(account)
            await self._publish_change(transaction, account, "accountArchive")
        await self._bus.publish(ACCOUNTS_TOPIC, account_id.bytes)
        return account

    async def replace_credentials(self, user_id: UUID, account_id: UUID, credentials: VenueCredentials) -> Account:
        """Give a LIVE account other credentials.

        Raises CREDENTIALS_REJECTED if the venue rejects them, and CONFLICT if their key is that of another account.
        """
        errors = credential_errors(credentials, REPLACED.credentials)
        if errors:
            raise InputErrors(errors)
        async with self._database.transaction() as transaction:
            account = await self._get_owned(transaction, user_id, account_id)
            if account.kind is AccountKind.PAPER:
                raise InputError(ErrorCode.UNSUPPORTED, "A PAPER account has credentials of the engine's own.", ("id",))
            await self._fetch_balances(account, credentials, REPLACED)
            sealed, key_hash = self._vault.seal(credentials, account_id), self._vault.key_hash(credentials)
            with one_account_a_key(account, REPLACED.credentials):
                await transaction.accounts.set_credentials(account_id, sealed, key_hash)
            await self._publish_change(transaction, account, "accountCredentialsReplace")
        await self._bus.publish(ACCOUNTS_TOPIC, account_id.bytes)
        return account

    async def deposit(
        self, user_id: UUID, account_id: UUID, currency: str, amount: Decimal, key: str
    ) -> tuple[Account, AccountTransfer | None]:
        """Pay into a PAPER account once for each key, and store its new balances and the transfer.

        The venue is called before anything is committed, and pays once for each key. If the engine ends in between, a
        retry records the deposit, in place of the adjustment that the balance audit may have made of it. The transfer
        is None for a key that was used before transfers were recorded.
        """
        validate_key(key)
        errors = paper_errors(currency, amount, ("input",))
        if errors:
            raise InputErrors(errors)
        reference = f"deposit:{key}"
        async with self._database.transaction() as transaction:
            account = await self._get_owned(transaction, user_id, account_id)
            paper = self._venues.paper(account.venue) if account.kind is AccountKind.PAPER else None
            if paper is None:
                raise InputError(ErrorCode.UNSUPPORTED, "Only a PAPER account can be paid into.", ("id",))
            arguments = (str(account_id), currency, amount)
            if await reserve(transaction, self._clock, user_id, "paperDeposit", key, arguments, account_id) is None:
                await _check_currencies(paper, account.venue, [(currency, CURRENCY)])
                query = paper.deposit(str(account_id), currency, amount, f"{user_id}:{key}")
                paid_now = await _query_venue(query, ("input", "amount"))
                await self._refresh_balances(transaction, account)
                kind, now = TransferKind.DEPOSIT, self._clock.now()
                paid = AccountTransfer(self._ids.next_id(), user_id, account_id, kind, currency, amount, now, reference)
                await (transaction.transfers.add(paid) if paid_now else record_late_deposit(transaction, paid))
                await self._publish_change(transaction, account, "paperDeposit", f"{amount:f} {currency}")
            transfer = await transaction.transfers.get_by_reference(account_id, reference)
        return account, transfer

    async def _record_opening(self, transaction: UnitOfWork, account: Account, balances: Sequence[Balance]) -> None:
        kind, at = TransferKind.OPENING, account.created_at
        for held in balances:
            if held.total:
                ids, reference = (self._ids.next_id(), account.user_id, account.id), f"opening:{held.currency}"
                await transaction.transfers.add(AccountTransfer(*ids, kind, held.currency, held.total, at, reference))

    async def _refresh_balances(self, transaction: UnitOfWork, account: Account) -> None:
        sealed = await transaction.accounts.credentials(account.id)
        assert sealed is not None
        balances = await self._fetch_balances(account, self._vault.unseal(sealed, account.id), SEALED)
        await transaction.accounts.replace_balances(account.id, balances)

    async def _reserve_key(
        self, transaction: UnitOfWork, user_id: UUID, request: AccountRequest, account_id: UUID
    ) -> Account | None:
        key = request.idempotency_key or ""
        found = await reserve(transaction, self._clock, user_id, "accountCreate", key, request, account_id)
        return await transaction.accounts.get(user_id, found) if found else None

    async def _check_count(self, transaction: UnitOfWork, user_id: UUID) -> None:
        found = await transaction.accounts.list_page(user_id, KeysetPage(limit=MAXIMUM_ACCOUNTS))
        if len(found) >= MAXIMUM_ACCOUNTS:
            message = f"At most {MAXIMUM_ACCOUNTS} accounts can be opened, archived ones included."
            raise InputError(ErrorCode.LIMIT_REACHED, message, ("input",))

    def _check(self, request: AccountRequest) -> None:
        errors = validate_limits(request.risk, ("input", "risk"))
        normalise_name(request.name, "name")
        venue = self._venues.get(request.venue)
        if venue is None:
            names = ", ".join(venue.name for venue in self._venues.all())
            message = f"There is no venue {request.venue[:40]!r} here; there are: {names}."
            raise InputError(ErrorCode.NOT_FOUND, message, ("input", "venue"))
        errors += currency_errors(request.currency, CURRENCY)
        paper = self._venues.paper(request.venue)
        is_paper = request.kind is AccountKind.PAPER
        errors += paper_account_errors(request, paper) if is_paper else live_account_errors(request, venue)
        if errors:
            raise InputErrors(errors)

    async def _connect(
        self, transaction: UnitOfWork, account: Account, request: AccountRequest
    ) -> tuple[VenueCredentials, Sequence[Balance]]:
        if request.kind is AccountKind.LIVE:
            assert request.credentials is not None
            await self._check_listed(transaction, account)
            return request.credentials, await self._fetch_balances(account, request.credentials, OPENED)
        paper = self._venues.paper(account.venue)
        assert paper is not None
        balances = request.balances or ()
        paths = [("input", "balances", str(index), "currency") for index in range(len(balances))]
        currencies = [(balance.currency, path) for balance, path in zip(balances, paths, strict=True)]
        await _check_currencies(paper, account.venue, [(account.currency, CURRENCY), *currencies])
        return await _query_venue(paper.open_account(str(account.id), balances), ("input", "balances")), balances

    async def _check_listed(self, transaction: UnitOfWork, account: Account) -> None:
        """Raise INVALID for a currency that no market of the venue has, in which nothing could be valued."""
        stored = await transaction.market_data.markets()
        markets = [market for market in stored if market.symbol.venue == account.venue]
        known = {market.base for market in markets} | {market.quote for market in markets}
        if markets and (errors := unknown_currency_errors(account.venue, account.currency, known, CURRENCY)):
            raise InputErrors(errors)

    async def _fetch_balances(
        self, account: Account, credentials: VenueCredentials, paths: Paths
    ) -> tuple[Balance, ...]:
        """Return the account's balances at its venue; an error has the path of the input that the venue rejects."""
        connection = self._venues.account(account, credentials)
        try:
            return await _query_venue(connection.balances(), paths.credentials)
        except CredentialsRejected as rejection:
            message = f"{account.venue} rejects these credentials: {rejection}"
            raise InputError(ErrorCode.CREDENTIALS_REJECTED, message, paths.credentials) from None
        except RequestRejected as rejection:
            message = f"{account.venue} doesn't report this account's balances: {rejection}"
            raise InputError(ErrorCode.UNSUPPORTED, message, paths.venue) from None
        finally:
            await connection.close()

    async def _get_owned(
        self, transaction: UnitOfWork, user_id: UUID, account_id: UUID, *, keep_new_rows_out: bool = False
    ) -> Account:
        account = await transaction.accounts.get_for_update(account_id, keep_new_rows_out=keep_new_rows_out)
        if account is None or account.user_id != user_id:
            raise InputError(ErrorCode.NOT_FOUND, "You have no such account.", ("id",))
        return account

    async def _publish_change(
        self, transaction: UnitOfWork, account: Account, action: str, detail: str | None = None
    ) -> None:
        now = self._clock.now()
        transaction.events.append([NewEvent(account.user_id, now, UserEventKind.ACCOUNT, account, action)])
        subject = ("Account", str(account.id))
        await record_activity(transaction, self._ids, now, account.user_id, action, subject, detail)


async def _query_venue(query: Awaitable[T], path: tuple[str, ...]) -> T:
    """Return the venue's answer; the time-out is short, since a transaction waits for it.

    Raises `Unavailable` if there is none; an unexpected definite rejection is INVALID at `path`.
    """
    try:
        async with asyncio.timeout(QUERY_TIMEOUT_SECONDS):
            return await query
    except (CredentialsRejected, RequestRejected):
        raise
    except NoSuchPaperAccount:
        message = "The sandbox doesn't know this account: its state was replaced. Open another one."
        raise InputError(ErrorCode.NOT_FOUND, message, ("id",)) from None
    except PaperRefused as rejection:
        raise InputError(ErrorCode.INVALID, f"The sandbox rejects it: {rejection}", path) from None
    except (VenueUnreachable, TimeoutError):
        message = "The venue doesn't answer now; try again, with the same idempotencyKey where one was given."
        raise Unavailable(message) from None


async def _check_currencies(paper: PaperVenue, venue: str, currencies: Sequence[tuple[str, tuple[str, ...]]]) -> None:
    """Raise INVALID for each currency, given with its path, that the sandbox doesn't have."""
    known = await _query_venue(paper.currencies(), ("input",))
    errors = [error for currency, path in currencies for error in unknown_currency_errors(venue, currency, known, path)]
    if errors:
        raise InputErrors(errors)
