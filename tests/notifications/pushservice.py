"""A push service, and a browser that subscribed to it, as a test needs them: with TLS and keys of their own."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import json
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import http_ece
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

HOST = "push.example"


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Makes a certificate of its own for a host; returns the files of it and of its key."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    cert, private = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert, private


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Browser:
    """Has a subscription, and reads what was encrypted for it."""

    endpoint: str
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    auth: bytes = field(default_factory=lambda: os.urandom(16))

    def subscription(self) -> str:
        point = self.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return json.dumps({"endpoint": self.endpoint, "keys": {"p256dh": _text(point), "auth": _text(self.auth)}})

    def read(self, body: bytes) -> dict[str, Any]:
        plain = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        found: dict[str, Any] = json.loads(plain)
        return found


class PushService:
    """Keeps what it accepted; `status` and `headers` are what it answers."""

    def __init__(self) -> None:
        self.port = 0
        self.status = 201
        self.headers: dict[str, str] = {}
        self.accepted: list[tuple[dict[str, str], bytes]] = []
        self.released = asyncio.Event()
        """What is pushed to `/push/slow` waits for it, for two seconds."""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.path == "/push/slow":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.released.wait(), 2)
            if not self.released.is_set():
                return web.Response(status=503)
        self.released.set()
        if self.status == 201:
            self.accepted.append((dict(request.headers), body))
        return web.Response(status=self.status, headers=self.headers)

    def browser(self, path: str = "/push/abc") -> Browser:
        return Browser(f"https://{HOST}:{self.port}{path}")


class Here(AbstractResolver):
    """Finds the push service on this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": family, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def pushing(folder: Path) -> AsyncIterator[tuple[PushService, ssl.SSLContext]]:
    """Serves on loopback; yields it with what a client must trust."""
    cert, key = certificate(folder, HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    service = PushService()
    app = web.Application()
    app.router.add_post("/{path:.*}", service.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    service.port = runner.addresses[0][1]
    try:
        yield service, ssl.create_default_context(cafile=str(cert))
    finally:
        await runner.cleanup()
