"""The settings of mails: by which server they are sent, from whom, and where their links lead."""

from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from infra.mail_server import SmtpServer, SmtpTls, mail_address
from infra.setting_types import HIGHEST_PORT, MailSender


class MailSettings(BaseSettings):
    """A part of `infra.settings.Settings`."""

    smtp_host: str | None = Field(
        None, description="the mail server; without it no mail is sent, and what needs mail is refused"
    )
    smtp_port: int = Field(587, ge=1, le=HIGHEST_PORT, description="the mail server's port, 1 to 65535")
    smtp_tls: SmtpTls = Field(
        SmtpTls.STARTTLS, description="starttls, tls (from the connection's beginning, mostly port 465) or none"
    )
    smtp_user: str | None = Field(None, description="the user at the mail server; without it nobody signs in there")
    smtp_password: SecretStr | None = Field(None, description="that user's password")
    mail_sender: MailSender | None = Field(
        None, description="whom mails are from, such as r3edge <noreply@example.com>; with a mail server it must be set"
    )
    app_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s#]+$",
        description="the web page that links in mails open, such as https://app.example.com/account; without it mails "
        "have codes alone",
    )

    @property
    def smtp_server(self) -> SmtpServer | None:
        """The mail server; None if no mail is sent."""
        if self.smtp_host is None:
            return None
        assert self.mail_sender is not None, "settings with a mail server have a sender"
        password = None if self.smtp_password is None else self.smtp_password.get_secret_value()
        sender = mail_address(self.mail_sender)
        return SmtpServer(self.smtp_host, self.smtp_port, self.smtp_tls, self.smtp_user, password, sender)

    @model_validator(mode="after")
    def _check_mail(self) -> Self:
        if self.smtp_host is not None and self.mail_sender is None:
            raise ValueError("R3EDGE_SMTP_HOST needs R3EDGE_MAIL_SENDER, such as r3edge <noreply@example.com>")
        if self.smtp_host is None and (self.smtp_user or self.smtp_password):
            raise ValueError("R3EDGE_SMTP_USER and R3EDGE_SMTP_PASSWORD need R3EDGE_SMTP_HOST")
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("R3EDGE_SMTP_USER and R3EDGE_SMTP_PASSWORD belong together")
        if self.smtp_password is not None and self.smtp_tls is SmtpTls.NONE:
            raise ValueError(
                "R3EDGE_SMTP_PASSWORD isn't sent over a connection that anybody can read: set R3EDGE_SMTP_TLS"
            )
        return self
