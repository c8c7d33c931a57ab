"""The settings of Hazelcast: where its members are, and how a node gets in."""

from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from infra.hazelcast.options import HazelcastCredentials, HazelcastOptions, HazelcastRouting, HazelcastTls
from infra.setting_types import ExistingFile, Members


class HazelcastSettings(BaseSettings):
    """A part of `infra.settings.Settings`."""

    hazelcast_members: Members = Field((), description="host:port,…; without it cache and bus live in this process")
    hazelcast_cluster: str = Field("r3edge", description="the name of the Hazelcast cluster")
    hazelcast_routing: HazelcastRouting = Field(
        HazelcastRouting.ALL,
        description="all (each member is connected to, at the address that it tells) or single (one of those named)",
    )
    hazelcast_tls: bool = Field(default=False, description="whether the members speak TLS: true or false")
    hazelcast_ca: ExistingFile | None = Field(
        None, description="a file (PEM) of the authorities of the members' certificates; without it the system's"
    )
    hazelcast_certificate: ExistingFile | None = Field(
        None, description="a file (PEM) with the certificate that this node shows the members"
    )
    hazelcast_key: ExistingFile | None = Field(
        None, description="a file (PEM) with that certificate's key, unless both are in one"
    )
    hazelcast_verify_names: bool = Field(
        default=True, description="whether the members' certificates must name their addresses: true or false"
    )
    hazelcast_user: str | None = Field(None, description="the user as whom nodes sign in at enterprise members")
    hazelcast_password: SecretStr | None = Field(None, description="that user's password")
    hazelcast_token: SecretStr | None = Field(
        None, description="a token with which nodes sign in at enterprise members, in the place of a user"
    )

    @property
    def hazelcast_options(self) -> HazelcastOptions | None:
        """The Hazelcast cluster; None if cache and bus live in this process."""
        if not self.hazelcast_members:
            return None
        tls = HazelcastTls(
            self.hazelcast_ca, self.hazelcast_certificate, self.hazelcast_key, self.hazelcast_verify_names
        )
        secrets = (self.hazelcast_password, self.hazelcast_token)
        password, token = (None if secret is None else secret.get_secret_value() for secret in secrets)
        return HazelcastOptions(
            self.hazelcast_members,
            self.hazelcast_cluster,
            routing=self.hazelcast_routing,
            tls=tls if self.hazelcast_tls else None,
            credentials=HazelcastCredentials(self.hazelcast_user, password, token),
        )

    @model_validator(mode="after")
    def _check_hazelcast(self) -> Self:
        if (self.hazelcast_ca or self.hazelcast_certificate) and not self.hazelcast_tls:
            raise ValueError("R3EDGE_HAZELCAST_CA and R3EDGE_HAZELCAST_CERTIFICATE need R3EDGE_HAZELCAST_TLS=true")
        if self.hazelcast_key and not self.hazelcast_certificate:
            raise ValueError("R3EDGE_HAZELCAST_KEY needs R3EDGE_HAZELCAST_CERTIFICATE, whose key it is")
        if (self.hazelcast_user is None) != (self.hazelcast_password is None):
            raise ValueError("R3EDGE_HAZELCAST_USER and R3EDGE_HAZELCAST_PASSWORD belong together")
        if (self.hazelcast_password or self.hazelcast_token) and not self.hazelcast_tls:
            raise ValueError(
                "R3EDGE_HAZELCAST_PASSWORD and R3EDGE_HAZELCAST_TOKEN aren't sent over a connection that anybody can "
                "read: set R3EDGE_HAZELCAST_TLS=true"
            )
        return self
