"""Checks settings that depend on each other."""

from collections.abc import Mapping
from typing import Final

from server.config import kinds
from server.config.address import SCHEME
from server.config.errors import ConfigError
from server.config.table import Config
from server.config.toml_form import cut
from server.urls import may_be_fetched

_FREE_PORT: Final = ":0"


def check_combinations(config: Config, origins: Mapping[str, str]) -> None:
    """Checks settings that are each valid alone.

    Args:
        config: the settings.
        origins: where each setting came from, by its name.

    Raises:
        ConfigError: two settings contradict each other.
    """
    _check_jwt(config, origins)
    _check_tls(config, origins)
    _check_workers(config, origins)
    if config.secret_key and config.secret_key_file:
        raise ConfigError(
            f"{origins['secret_key_file']}: expected no secret_key beside it, as it has the keys"
        )
    if config.proxy_protocol and not config.trusted_proxies:
        raise ConfigError(f"{origins['proxy_protocol']}: expected trusted_proxies to be given, too")
    if config.listen == config.grpc_listen and not config.listen.endswith(_FREE_PORT):
        raise ConfigError(
            f"{origins['grpc_listen']}: expected another address than that of listen, "
            f"got {cut(config.grpc_listen)}"
        )


def _check_workers(config: Config, origins: Mapping[str, str]) -> None:
    if config.workers == 1:
        return
    if not config.database:
        raise ConfigError(
            f"{origins['workers']}: expected database to be given, too, "
            "as only one process can write SQLite; or 1"
        )
    for name in ("listen", "grpc_listen"):
        if getattr(config, name).startswith(SCHEME):
            raise ConfigError(
                f"{origins[name]}: expected host:port, as workers share a port, "
                f"got {cut(getattr(config, name))}"
            )


def _check_tls(config: Config, origins: Mapping[str, str]) -> None:
    for name, needed in (
        ("tls_cert", "tls_key"),
        ("tls_key", "tls_cert"),
        ("tls_client_ca", "tls_cert"),
    ):
        if getattr(config, name) and not getattr(config, needed):
            raise ConfigError(f"{origins[name]}: expected {needed} to be given, too")


def _check_jwt(config: Config, origins: Mapping[str, str]) -> None:
    issuer = config.jwt_issuer
    if not issuer:
        for name in ("jwt_audience", "jwt_jwks_url"):
            if getattr(config, name):
                raise ConfigError(f"{origins[name]}: expected jwt_issuer to be given, too")
    elif not config.jwt_audience:
        raise ConfigError(f"{origins['jwt_issuer']}: expected jwt_audience to be given, too")
    elif not config.jwt_jwks_url and not may_be_fetched(issuer):
        expected = f"{kinds.URL.expected}, as jwt_jwks_url is not given"
        raise ConfigError(f"{origins['jwt_issuer']}: expected {expected}, got {cut(issuer)}")
