"""What a service process is told: environment only, checked at start."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """One process's settings. Every name is the field's in upper case behind `SAMEN_`."""

    model_config = SettingsConfigDict(env_prefix="SAMEN_", frozen=True, extra="ignore")

    service: str
    database_url: str
    relay_database_url: str
    nats_url: str
    nats_creds: Path
    trusted_keys: Path
    signing_key: Path
    http_port: int = 0
    """Port of /live, /ready and /metrics on loopback or the container's address; 0 picks a free one."""
    http_host: str = "127.0.0.1"
    port_file: Path | None = None
    """Where the chosen HTTP port is written."""
    log_level: str = "INFO"
    smtp_host: str = "127.0.0.1"
    smtp_port: int = 25
    log_key: Path | None = None
    """The audit log's own signing key (audit only)."""
    pool_size: int = 10
    shifted_time: bool = False
    """Whether this database's domain time may be shifted: true where half a year is played, never in production."""
    under_way: int = 512
    """Requests handled at once; beyond them a caller gets `unavailable`."""
    group_size: int = 64
    """Changes of one school committed together, at most."""
    release_within_s: float = 4.0
    """Nothing leaves on a commit that took longer than this from being sent to returning."""
    consumers: tuple[str, ...] = ("goals", "notifications", "gate", "audit")
    """Every service that keeps cursors."""
    witnesses: tuple[str, ...] = ("audit", "EVENTS")
    """Whose positions must be known before this service answers, for they reveal a restored database: consumers, and
    the stream itself."""
