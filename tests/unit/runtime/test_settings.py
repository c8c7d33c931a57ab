import base64
import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.hazelcast.options import HazelcastRouting
from infra.mail_server import SmtpTls
from infra.oidc.settings import OidcProvider
from infra.settings import LogFormat, RegistrationMode, Role, Settings, is_secret
from infra.settings_loading import BadSettings, load_settings

KEY = base64.b64encode(bytes(range(32))).decode()
SECRET = "hunter2-is-no-key"
PROVIDER = (
    f'{{"name": "google", "issuer": "https://accounts.google.com", "client_id": "x", "client_secret": "{SECRET}"}}'
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("R3EDGE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "recording.gz"
    path.touch()
    return path


def error_message(**overrides: object) -> str:
    with pytest.raises(BadSettings) as refused:
        load_settings(**overrides)
    return str(refused.value)


def test_without_any_setting_everything_is_embedded_and_every_role_is_done() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.roles) == ("127.0.0.1", 8000, tuple(Role))
    assert (settings.database_url, settings.hazelcast_members, settings.sandbox_url) == (None, (), None)


def every_setting(recording: Path) -> dict[str, tuple[str, object]]:
    return {
        "host": ("0.0.0.0", "0.0.0.0"),
        "port": ("9000", 9000),
        "data_dir": ("/tmp/data", Path("/tmp/data")),
        "roles": ("web, worker", (Role.WEB, Role.WORKER)),
        "database_url": ("postgresql://u:p@db1:5432,db2/r3edge", None),
        "database_pool_size": ("5", 5),
        "hazelcast_members": ("one:5701,two:5702", ("one:5701", "two:5702")),
        "hazelcast_cluster": ("prod", "prod"),
        "hazelcast_routing": ("single", HazelcastRouting.SINGLE),
        "hazelcast_tls": ("true", True),
        "hazelcast_ca": (str(recording), recording),
        "hazelcast_certificate": (str(recording), recording),
        "hazelcast_key": (str(recording), recording),
        "hazelcast_verify_names": ("false", False),
        "hazelcast_user": ("ada", "ada"),
        "hazelcast_password": ("hunter2", None),
        "hazelcast_token": ("token", None),
        "venues": ("binance,kraken", ("binance", "kraken")),
        "sandbox_url": ("http://sandbox:9000", "http://sandbox:9000"),
        "sandbox_token": ("token", None),
        "mirror": ("kraken", "kraken"),
        "mirror_markets": ("BTC/USD,ETH/EUR", ("BTC/USD", "ETH/EUR")),
        "mirror_url": ("http://elsewhere:9000", "http://elsewhere:9000"),
        "mirror_sandbox_url": ("http://mirror:9000", "http://mirror:9000"),
        "mirror_sandbox_token": ("token", None),
        "default_market": ("binance:BTC/USDT", "binance:BTC/USDT"),
        "replay": (f"{recording},{recording}", (recording, recording)),
        "seed": ("7", 7),
        "secret_key": (KEY, None),
        "registration": ("closed", RegistrationMode.CLOSED),
        "allowed_origins": (
            "https://a.example.com,http://localhost:3000",
            ("https://a.example.com", "http://localhost:3000"),
        ),
        "previous_secret_keys": (f"{KEY},{KEY}", (SecretStr(KEY), SecretStr(KEY))),
        "registrations_per_hour": ("5", 5),
        "allowed_hosts": ("api.example.com,*.example.org", ("api.example.com", "*.example.org")),
        "trusted_proxies": ("10.0.0.0/8,2001:db8::1", ("10.0.0.0/8", "2001:db8::1")),
        "traces_url": ("http://collector:4318/v1/traces", "http://collector:4318/v1/traces"),
        "traces_share": ("0.25", 0.25),
        "webhook_networks": ("10.0.0.0/8", ("10.0.0.0/8",)),
        "telegram_url": ("http://telegram:8081", "http://telegram:8081"),
        "metrics_token": ("0123456789abcdef", None),
        "max_connections": ("5000", 5000),
        "max_connections_per_address": ("50", 50),
        "requests_per_second_per_address": ("60", 60),
        "requests_per_minute_per_address": ("600", 600),
        "messages_per_second_per_address": ("50", 50),
        "operation_timeout_seconds": ("2.5", 2.5),
        "billing_secrets": (f"whsec_{KEY}", (SecretStr(f"whsec_{KEY}"),)),
        "max_feeds_per_venue": ("20", 20),
        "worker_processes": ("3", 3),
        "archive": ("s3://history/engine", "s3://history/engine"),
        "archive_s3_endpoint": ("https://minio:9000", "https://minio:9000"),
        "archive_s3_region": ("eu-central-1", "eu-central-1"),
        "archive_s3_access_key": ("AKIA", SecretStr("AKIA")),
        "archive_s3_secret_key": ("secret", SecretStr("secret")),
        "retention_months_by_table": ("candles:24", ("candles:24",)),
        "archive_cache_mb": ("10", 10),
        "archive_s3_path_style": ("false", False),
        "replica_database_url": ("postgresql://u:p@db2/r3edge", None),
        "replica_max_lag_seconds": ("30", 30.0),
        "backups": ("/mnt/backups", "/mnt/backups"),
        "retention_months": ("24", 24),
        "smtp_host": ("mail.example.com", "mail.example.com"),
        "smtp_port": ("465", 465),
        "smtp_tls": ("tls", SmtpTls.TLS),
        "smtp_user": ("robot", "robot"),
        "smtp_password": ("opensesame", None),
        "mail_sender": ("r3edge <noreply@example.com>", "r3edge <noreply@example.com>"),
        "app_url": ("https://app.example.com/account", "https://app.example.com/account"),
        "public_url": ("https://trade.example.com", "https://trade.example.com"),
        "oidc_providers": (f"[{PROVIDER}]", (OidcProvider.model_validate_json(PROVIDER),)),
        "gzip_min_bytes": ("0", 0),
        "console": ("false", False),
        "graphiql": ("false", False),
        "introspection": ("false", False),
        "field_suggestions": ("true", True),
        "compiled_selections": ("false", False),
        "shared_answers_megabytes": ("0", 0),
        "known_documents_only": ("true", True),
        "cancel_foreign_orders": ("true", True),
        "balance_work": ("false", False),
        "log_format": ("json", LogFormat.JSON),
        "log_level": ("debug", "debug"),
    }


def test_every_setting_can_be_given_in_the_environment(monkeypatch: pytest.MonkeyPatch, recording: Path) -> None:
    overrides = every_setting(recording)
    missing = set(Settings.model_fields) - set(overrides)
    assert not missing, f"a setting without a test: {missing}"
    for name, (text, _) in overrides.items():
        monkeypatch.setenv(f"R3EDGE_{name.upper()}", text)

    settings = load_settings()
    for name, (text, expected) in overrides.items():
        found = getattr(settings, name)
        assert found.get_secret_value() == text if expected is None else found == expected, name


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "r3edge.toml"
    file.write_text(
        'port = 1\nseed = 1\nlog_level = "error"\nvenues = ["kraken"]\nallowed_origins = "http://a,http://b"\n'
    )
    monkeypatch.setenv("R3EDGE_CONFIG", str(file))
    monkeypatch.setenv("R3EDGE_PORT", "2")
    monkeypatch.setenv("R3EDGE_SEED", "2")

    settings = load_settings(port=3, seed=None)
    assert (settings.port, settings.seed, settings.log_level) == (3, 2, "error")
    assert (settings.venues, settings.allowed_origins) == (("kraken",), ("http://a", "http://b"))


def test_an_empty_variable_is_as_if_it_were_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("R3EDGE_PORT", "")
    assert load_settings().port == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"), ("PORT", "eighty"), ("ROLES", "web,cook"), ("DATABASE_URL", "mysql://u:p@h/d"),
        ("DATABASE_URL", "localhost:5432"), ("DATABASE_URL", "postgresql://"), ("DATABASE_POOL_SIZE", "1"),
        ("HAZELCAST_MEMBERS", "hazelcast"), ("HAZELCAST_MEMBERS", ":5701"), ("HAZELCAST_MEMBERS", "h:99999"),
        ("HAZELCAST_ROUTING", "both"), ("HAZELCAST_CA", "/no/such/file"), ("HAZELCAST_TLS", "perhaps"),
        ("VENUES", "binanze"), ("VENUES", "sandbox"), ("SANDBOX_URL", "sandbox:9000"), ("DEFAULT_MARKET", "BTCUSDT"),
        ("REPLAY", "/no/such/file"), ("SEED", "-1"), ("SECRET_KEY", SECRET), ("SECRET_KEY", "c2hvcnQ="),
        ("REGISTRATION", "invited"), ("ALLOWED_ORIGINS", "https://a.example.com/path"), ("ALLOWED_ORIGINS", "*"),
        ("OIDC_PROVIDERS", "google"), ("OIDC_PROVIDERS", "{}"), ("OIDC_PROVIDERS", '[{"name": "a"}]'),
        ("OIDC_PROVIDERS", '[{"name": "a", "issuer": "http://example.com", "client_id": "x"}]'),
        ("OIDC_PROVIDERS", '[{"name": "A b", "issuer": "https://example.com", "client_id": "x"}]'),
        ("OIDC_PROVIDERS", '[{"name": "a", "issuer": "https://example.com", "client_id": "x", "scopes": "email"}]'),
        ("PUBLIC_URL", "example.com"), ("GRAPHIQL", "perhaps"), ("LOG_FORMAT", "xml"), ("LOG_LEVEL", "loud"),
    ],
)  # fmt: skip
def test_a_bad_value_is_reported_with_the_settings_name_and_what_it_may_be(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"R3EDGE_{name}", value)
    message = error_message()
    assert message.startswith(f"R3EDGE_{name}: ")
    assert str(Settings.model_fields[name.lower()].description) in message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@db/r3edge", "postgres://db", "postgresql://u:p%40@10.0.0.1:5432,10.0.0.2:5433/d?sslmode=require",
        "postgresql://[::1]:5432/d", "postgresql:///r3edge?host=/run/postgresql", "postgresql://u@/r3edge?host=/run",
    ],
)  # fmt: skip
def test_every_way_to_write_a_database_is_taken(url: str) -> None:
    assert load_settings(database_url=url).database_url.get_secret_value() == url


def test_all_bad_settings_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("R3EDGE_PORT", "x")
    monkeypatch.setenv("R3EDGE_SEED", "y")
    assert [line.partition(":")[0] for line in error_message().splitlines()] == ["R3EDGE_PORT", "R3EDGE_SEED"]


def test_an_unknown_name_is_reported_wherever_it_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "r3edge.toml"
    file.write_text("prot = 1\n")
    monkeypatch.setenv("R3EDGE_CONFIG", str(file))
    assert error_message().startswith("prot is not a setting; did you mean port?")
    monkeypatch.setenv("R3EDGE_PROT", "1")
    assert error_message().startswith("R3EDGE_PROT is not a setting; did you mean R3EDGE_PORT?")
    monkeypatch.delenv("R3EDGE_PROT")
    monkeypatch.setenv("R3EDGE_COLOUR", "1")
    assert error_message().startswith("R3EDGE_COLOUR is not a setting; there are R3EDGE_ALLOWED_HOSTS, ")


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "r3edge.toml"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("R3EDGE_CONFIG", str(file))
    assert error_message().startswith("R3EDGE_CONFIG: ")


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ({"sandbox_url": "http://s:1"}, "R3EDGE_SANDBOX_TOKEN"),
        ({"roles": "web"}, "R3EDGE_HAZELCAST_MEMBERS"),
        ({"roles": ","}, "R3EDGE_ROLES"),
        ({"hazelcast_members": "h:5701"}, "R3EDGE_SECRET_KEY"),
        ({"hazelcast_ca": __file__}, "R3EDGE_HAZELCAST_TLS"),
        ({"hazelcast_certificate": __file__}, "R3EDGE_HAZELCAST_TLS"),
        ({"hazelcast_key": __file__, "hazelcast_tls": "true"}, "R3EDGE_HAZELCAST_CERTIFICATE"),
        ({"hazelcast_user": "ada", "hazelcast_tls": "true"}, "R3EDGE_HAZELCAST_PASSWORD"),
        ({"hazelcast_user": "ada", "hazelcast_password": "hunter2"}, "R3EDGE_HAZELCAST_TLS"),
        ({"hazelcast_token": "hunter2"}, "R3EDGE_HAZELCAST_TLS"),
        ({"default_market": "kraken:BTC/USD"}, "R3EDGE_VENUES"),
        ({"oidc_providers": f"[{PROVIDER}]"}, "R3EDGE_PUBLIC_URL"),
        ({"oidc_providers": f"[{PROVIDER}, {PROVIDER}]", "public_url": "https://e.example.com"}, "the same name"),
    ],
)
def test_settings_that_do_not_fit_together_are_reported_by_name(overrides: dict[str, str], name: str) -> None:
    assert name in error_message(**overrides)


def test_openid_providers_are_json_in_the_environment_and_tables_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (given,) = load_settings(oidc_providers=f"[{PROVIDER}]", public_url="https://e.example.com").oidc_providers
    file = tmp_path / "r3edge.toml"
    file.write_text(
        'public_url = "https://e.example.com"\n[[oidc_providers]]\nname = "google"\n'
        f'issuer = "https://accounts.google.com"\nclient_id = "x"\nclient_secret = "{SECRET}"\n'
    )
    monkeypatch.setenv("R3EDGE_CONFIG", str(file))
    assert load_settings().oidc_providers == (given,)
    assert SECRET not in str(given)


@pytest.mark.parametrize(
    "broken", [f'[{{"name": "a", "client_secret": "{SECRET}"', f'[{{"client_secret": "{SECRET}"}}]']
)
def test_an_error_in_a_provider_does_not_print_its_secret(broken: str) -> None:
    assert SECRET not in error_message(oidc_providers=broken)


def test_secrets_are_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(
        secret_key=KEY, database_url=f"postgresql://u:{SECRET}@h/d", sandbox_token=SECRET, sandbox_url="http://s"
    )
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()}"
    assert KEY not in f"{settings!r} {settings} {settings.model_dump()}"
    for name, bad in (("SECRET_KEY", SECRET), ("DATABASE_URL", f"mysql://u:{SECRET}@h/d")):
        monkeypatch.setenv(f"R3EDGE_{name}", bad)
    assert SECRET not in error_message()


@pytest.mark.parametrize(
    ("overrides", "what"),
    [
        ({"smtp_host": "mail.example.com"}, "R3EDGE_SMTP_HOST needs R3EDGE_MAIL_SENDER"),
        ({"smtp_user": "robot", "smtp_password": "x"}, "need R3EDGE_SMTP_HOST"),
        ({"smtp_host": "m", "mail_sender": "a@example.com", "smtp_user": "robot"}, "belong together"),
        ({"mail_sender": "nobody"}, "'nobody' is not an address such as r3edge <noreply@example.com>"),
        ({"mail_sender": "a@b.com\nBcc: c@d.com"}, "is not an address"),
        ({"app_url": "app.example.com"}, "R3EDGE_APP_URL"),
        (
            {"smtp_host": "m", "mail_sender": "a@b.com", "smtp_user": "u", "smtp_password": "p", "smtp_tls": "none"},
            "R3EDGE_SMTP_PASSWORD isn't sent over a connection that anybody can read",
        ),
    ],
)
def test_settings_of_mail_that_cannot_work_are_refused(overrides: dict[str, object], what: str) -> None:
    assert what in error_message(**overrides)


def secret_file(folder: Path, content: bytes) -> Path:
    path = folder / "secret"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_every_secret_can_be_given_as_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recording: Path, ending: bytes
) -> None:
    secrets = {name: every_setting(recording)[name] for name in Settings.model_fields if is_secret(name)}
    assert {"secret_key", "database_url", "smtp_password", "oidc_providers", "previous_secret_keys"} <= set(secrets)
    for name in secrets:
        (tmp_path / name).write_bytes(secrets[name][0].encode() + ending)
        monkeypatch.setenv(f"R3EDGE_{name.upper()}_FILE", str(tmp_path / name))
    others = ("sandbox_url", "mirror_sandbox_url", "mirror", "smtp_host", "smtp_user", "mail_sender", "public_url")
    for other in (*others, "hazelcast_user", "hazelcast_tls"):
        monkeypatch.setenv(f"R3EDGE_{other.upper()}", every_setting(recording)[other][0])

    settings = load_settings()
    for name, (text, expected) in secrets.items():
        found = getattr(settings, name)
        assert found.get_secret_value() == text if expected is None else found == expected, name


def test_a_secret_that_is_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("R3EDGE_SECRET_KEY", KEY)
    monkeypatch.setenv("R3EDGE_SECRET_KEY_FILE", str(secret_file(tmp_path, KEY.encode())))
    assert error_message() == "R3EDGE_SECRET_KEY_FILE: R3EDGE_SECRET_KEY is set too; set one of the two"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "there is no file {path}"),
        (b"", "{path} is empty"),
        (b"\n", "{path} is empty"),
        (b"\xff\xfe", "{path} is not text in UTF-8"),
        (b"x" * 70_000, "{path} has more than 65536 bytes, so it is no secret"),
    ],
)
def test_a_file_of_a_secret_that_cannot_be_used_is_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "secret" if content is None else secret_file(tmp_path, content)
    monkeypatch.setenv("R3EDGE_METRICS_TOKEN_FILE", str(path))
    assert error_message() == "R3EDGE_METRICS_TOKEN_FILE: " + reason.format(path=path)


def test_a_folder_is_no_secret_and_all_bad_files_are_named_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("R3EDGE_SECRET_KEY_FILE", str(tmp_path))
    monkeypatch.setenv("R3EDGE_DATABASE_URL_FILE", str(tmp_path / "absent"))
    assert sorted(error_message().splitlines()) == [
        f"R3EDGE_DATABASE_URL_FILE: there is no file {tmp_path / 'absent'}",
        f"R3EDGE_SECRET_KEY_FILE: {tmp_path} can't be read: Is a directory",
    ]


def test_a_bad_value_in_a_file_is_reported_by_the_settings_name_without_the_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("R3EDGE_SECRET_KEY_FILE", str(secret_file(tmp_path, SECRET.encode())))
    message = error_message()
    assert message.startswith("R3EDGE_SECRET_KEY: ")
    assert SECRET not in message


def test_what_is_no_secret_cannot_be_given_as_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("R3EDGE_PORT_FILE", str(secret_file(tmp_path, b"9000")))
    assert error_message().startswith("R3EDGE_PORT_FILE is not a setting; ")
