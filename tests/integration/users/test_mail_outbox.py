import asyncio
from datetime import timedelta
from email.message import EmailMessage

import pytest

from domain.mail.sender import MailSenderOptions
from infra.postgres.pool import Pool
from tests.support.mail_server import OK
from tests.support.mailing import MailNode
from tests.support.sign_in import SignInNode

EMAIL, PASSWORD, HERE = "ada@example.com", "correct horse battery", "192.0.2.1"
HOUR = 3_600.0


async def test_a_mail_is_sent_once_with_headers_that_programs_understand(mail: MailNode, pool: Pool) -> None:
    await mail.node.users.register(EMAIL, PASSWORD, "Click http://evil.example", HERE)
    assert await mail.sender().send_due() == 1
    assert await mail.sender().send_due() == 0

    (message,) = mail.server.messages
    assert (message["From"], message["To"]) == ("r3edge <noreply@example.com>", EMAIL)
    assert message["Auto-Submitted"] == "auto-generated"
    mail_id = await pool.fetchval("SELECT id FROM mails WHERE sent_at IS NOT NULL")
    assert message["Message-ID"] == f"<{mail_id}@example.com>"
    (text,) = mail.server.texts(EMAIL)
    assert "https://app.example.com/#email-verify=r3m_" in text
    assert "evil" not in text, "nothing that a user chose stands in a mail"


@pytest.mark.parametrize("answer", ["500 no", "421 busy"])
async def test_a_server_that_refuses_for_a_day_loses_nothing(mail: MailNode, answer: str) -> None:
    ada = await mail.node.users.register(EMAIL, PASSWORD, None, HERE)
    mail.server.answer = answer
    for _ in range(24):
        await mail.sender().send_due()
        mail.node.clock.move(HOUR)
    assert mail.server.messages == []
    mail.server.answer = OK
    await mail.sender().send_due()
    assert len(mail.server.messages) == 1
    # The code's life begins when it is sent.
    (code,) = mail.server.codes(EMAIL)
    assert await mail.node.emails.verify(code, HERE, ada.user.id) == EMAIL


async def test_a_server_that_is_down_loses_nothing(mail: MailNode, pool: Pool) -> None:
    await mail.node.users.register(EMAIL, PASSWORD, None, HERE)
    await mail.server.stop()
    await mail.sender().send_due()
    assert "Error" in await pool.fetchval("SELECT error FROM mails")
    await mail.server.start()
    assert await mail.sender().send_due() == 0, "it waits before it tries again"
    mail.node.clock.move(30)
    await mail.sender().send_due()
    assert len(mail.server.messages) == 1
    assert mail.counts.by_outcome == {"sent": 1, "refused": 1, "given_up": 0}


async def test_a_server_that_never_answers_holds_up_one_attempt_and_no_more(mail: MailNode) -> None:
    await mail.node.users.register(EMAIL, PASSWORD, None, HERE)
    mail.server.stalls = asyncio.Event()
    mail.options = MailSenderOptions(send_seconds=0.2)
    await mail.sender().send_due()
    assert mail.counts.by_outcome["refused"] == 1
    mail.server.stalls.set()
    mail.node.clock.move(30)
    mail.options = MailSenderOptions()
    await mail.sender().send_due()
    assert mail.counts.by_outcome["sent"] == 1


async def test_retries_are_further_and_further_apart_and_end_after_five_days_with_an_error_for_the_operator(
    mail: MailNode, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    await mail.node.users.register(EMAIL, PASSWORD, None, HERE)
    mail.server.answer = "554 we don't like you"
    delays: list[timedelta] = []
    while await pool.fetchval("SELECT given_up_at IS NULL FROM mails"):
        due = await pool.fetchval("SELECT due_at FROM mails")
        wait = due - mail.node.clock.now()
        delays.append(wait)
        mail.node.clock.move(wait.total_seconds())
        assert await mail.sender().send_due() == 1
    assert timedelta(seconds=15) <= delays[1] <= timedelta(seconds=30)
    assert all(timedelta(minutes=30) <= delay <= timedelta(hours=1) for delay in delays[10:])
    assert timedelta(days=5) <= sum(delays, timedelta()) <= timedelta(days=5, hours=1)
    (line,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "given up" in line.message
    assert "554" in line.message
    assert EMAIL not in line.message
    assert await mail.sender().send_due() == 0


async def test_no_address_stands_in_the_log_though_the_server_repeats_it(
    mail: MailNode, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    await mail.node.users.register(EMAIL, PASSWORD, None, HERE)
    mail.server.recipient_answer = "550 <%s> is nobody here"
    await mail.sender().send_due()
    (line,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert "is nobody here" in line
    assert EMAIL not in line
    assert EMAIL not in await pool.fetchval("SELECT error FROM mails")


async def test_two_workers_send_each_mail_once(mail: MailNode) -> None:
    for number in range(12):
        await mail.node.users.register(f"user{number}@example.com", PASSWORD, None, HERE)
    mail.options = MailSenderOptions()
    claimed = await asyncio.gather(*(mail.sender().send_due() for _ in range(3)))
    assert sum(claimed) == 12
    assert len({message["Message-ID"] for message in mail.server.messages}) == len(mail.server.messages) == 12


async def test_an_attempt_that_its_worker_did_not_survive_is_repeated(mail: MailNode) -> None:
    await mail.node.users.register(EMAIL, PASSWORD, None, HERE)
    mail.server.stalls = asyncio.Event()
    dying = asyncio.create_task(mail.sender().send_due())
    await mail.server.received.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    mail.server.stalls.set()
    mail.node.clock.move(2 * mail.options.send_seconds)
    await mail.sender().send_due()
    assert len(mail.server.texts(EMAIL)) >= 1


async def test_an_international_address_gets_its_mail(mail: MailNode) -> None:
    await mail.node.users.register("δοκιμή@example.com", PASSWORD, None, HERE)
    await mail.sender().send_due()
    assert len(mail.server.messages) == 1


async def test_without_a_mail_server_nothing_is_put_into_the_outbox(node: SignInNode, pool: Pool) -> None:
    await node.users.register(EMAIL, PASSWORD, None, HERE)
    assert await pool.fetchval("SELECT count(*) FROM mails") == 0


async def test_a_fault_of_one_mail_stops_no_other(mail: MailNode, pool: Pool) -> None:
    await mail.node.users.register(EMAIL, PASSWORD, None, HERE)
    await mail.node.users.register("eve@example.com", PASSWORD, None, HERE)
    await pool.execute("UPDATE mails SET recipient = 'nonsense', kind = 'SIGN_IN' WHERE recipient = $1", EMAIL)
    assert "eve@example.com" in {message["To"] for message in await sent(mail)}
    assert await pool.fetchval("SELECT error FROM mails WHERE recipient = 'nonsense'") is not None


async def test_a_kind_of_mail_that_a_newer_version_has_waits_for_it(mail: MailNode, pool: Pool) -> None:
    await mail.node.users.register(EMAIL, PASSWORD, None, HERE)
    await pool.execute("UPDATE mails SET kind = 'OF_TOMORROW'")
    assert await mail.sender().send_due() == 0
    assert await pool.fetchval("SELECT attempts FROM mails") == 0


async def test_a_mail_that_was_withdrawn_after_it_was_claimed_is_not_sent(mail: MailNode) -> None:
    ada = await mail.node.users.register(EMAIL, PASSWORD, None, HERE)
    now = mail.node.clock.now()
    async with mail.node.database.transaction() as transaction:
        (claimed,) = await transaction.mails.claim_due(now, now, 10)
        await transaction.mails.withdraw(ada.user.id, [claimed.kind])
    await mail.sender()._send(claimed)
    assert mail.server.messages == []


async def test_what_a_server_says_of_addresses_is_not_stored(mail: MailNode, pool: Pool) -> None:
    await mail.node.users.register(EMAIL, PASSWORD, None, HERE)
    mail.server.answer = "550 no such user: <Ada@EXAMPLE.com> for root@mx.example.com"
    await mail.sender().send_due()
    error = await pool.fetchval("SELECT error FROM mails")
    assert "no such user" in error
    assert "@" not in error


async def sent(mail: MailNode) -> list[EmailMessage]:
    while await mail.sender().send_due():
        pass
    return mail.server.messages
