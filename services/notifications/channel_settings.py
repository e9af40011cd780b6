"""The settings of channels other than mail, and of the door for links; and the secrets that they name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.notifications.keyring import Keyring
from services.notifications.schemes import FIXED, KNOWN


class ChannelSettings(BaseSettings):
    """Environment names are the fields' in upper case behind `SAMEN_`."""

    model_config = SettingsConfigDict(env_prefix="SAMEN_", frozen=True, extra="ignore")

    channel_secret: Path | None = None
    """The file of the secret that links, bounces and outlets are sealed with; without it there are none of these."""
    vapid_key: Path | None = None
    """The private key (P-256, PEM) by which push services know us; without it nothing is pushed."""
    push_contact: str | None = None
    """Whom a push service may write to (`mailto:...`, RFC 8292); by default the address that mails come from."""
    push_services: tuple[str, ...] = (
        "fcm.googleapis.com",
        "push.services.mozilla.com",
        "push.apple.com",
        "notify.windows.com",
    )
    """Hosts (and what lies below them) that a browser's subscription may name: no other is ever connected to."""
    push_per_minute: int = 6000
    push_per_minute_school: int = 3000
    other_schemes: tuple[str, ...] = tuple(sorted(FIXED))
    """Which Apprise services schools may set up."""
    other_per_minute: int = 120
    other_per_minute_school: int = 60
    door_url: str | None = None
    """Where the door for links is reached from outside (`https://...`); without it mails carry no link to leave by."""
    door_host: str = "127.0.0.1"
    door_port: int | None = None
    """Port of that door; 0 picks a free one, None opens none."""
    door_port_file: Path | None = None
    bounce_mailbox: Path | None = None
    """A Maildir or mbox file where mails come back; what was read is taken out of it."""
    bounce_token: SecretStr | None = None
    """What a mail server must show (`Authorization: Bearer ...`) to hand mails that came back to the door."""

    @field_validator("other_schemes")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if strange := set(value) - KNOWN:
            msg = f"{', '.join(sorted(strange))}: not among the services that may be allowed: see the runbook"
            raise ValueError(msg)
        return value

    def pushes_to(self, host: str) -> bool:
        """Tells whether `host` is one of the push services."""
        return any(host == one or host.endswith(f".{one}") for one in self.push_services)


@cache
def channel_settings() -> ChannelSettings:
    """Returns the process's settings, read once."""
    return ChannelSettings()


@cache
def keyring() -> Keyring | None:
    """Returns the process's keyring; None where none is set up."""
    path = channel_settings().channel_secret
    return None if path is None else Keyring.load(path)
