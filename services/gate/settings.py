"""What the gate is told beside what every service is: environment only, checked at start."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class GateSettings(BaseSettings):
    """The gate's own settings. Every name is the field's in upper case behind `SAMEN_GATE_`."""

    model_config = SettingsConfigDict(env_prefix="SAMEN_GATE_", frozen=True, extra="ignore")

    creds: Path | None = None
    """The gate's login in the account that holds the tools' streams; None: nothing is put out through NATS."""
    deletion_within_days: float = 30.0
    """By when a tool must have confirmed that it deleted what it may not have any more."""
    webhook_loopback: bool = False
    """Whether a webhook may lead to this machine, and by plain http: where all of the platform is on it only."""
    webhook_ca: Path | None = None
    """Certificates of the authorities that receivers are known by; None: the system's."""
    kept_days: float = 30.0
    """How long what was put out can be put out again; what a tool has not fetched by then it never gets."""
    replayed_a_day: int = 100_000
    """How many of its numbers a tool can have put out again by itself within a day: each is a line in the log."""
