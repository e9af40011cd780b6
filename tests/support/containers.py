"""The official PostgreSQL and NATS images through testcontainers (SAMEN_INFRA=containers)."""

from __future__ import annotations

import re
from pathlib import Path

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.support.servers import Servers

POSTGRES_IMAGE = "postgres:18-bookworm"
NATS_IMAGE = "nats:2.15-alpine"
# The image first starts a server without TCP to make the cluster: that one's readiness means nothing.
POSTGRES_READY = re.compile(r"listening on IPv4 address.*ready to accept connections", re.DOTALL)
ADMIN_PASSWORD = "made-up-for-tests"

NATS_CONFIG = """\
port: 4222
max_payload: 1MB
jetstream { store_dir: "/data/jetstream" }
include "operator.conf"
resolver { type: full, dir: "/data/accounts", allow_delete: false, interval: "2m" }
"""


class ContainerServers(Servers):
    """Both servers in containers of their own, on ports the engine picks."""

    def __init__(self, root: Path) -> None:
        """Take `root` for keys and the servers' configuration."""
        super().__init__(root)
        self._made: list[DockerContainer] = []

    def start(self) -> None:
        """Start both containers and provision NATS."""
        postgres = (
            DockerContainer(POSTGRES_IMAGE)
            .with_env("POSTGRES_PASSWORD", ADMIN_PASSWORD)
            .with_env("TZ", "UTC")
            .with_command("postgres -c max_connections=200")
            .with_exposed_ports(5432)
            .waiting_for(LogMessageWaitStrategy(POSTGRES_READY))
        )
        config = self.root / "nats-config"
        config.mkdir()
        (config / "nats.conf").write_text(NATS_CONFIG)
        (config / "operator.conf").write_text(self.keys.operator_conf.read_text())
        nats = (
            DockerContainer(NATS_IMAGE)
            .with_volume_mapping(str(config), "/etc/samen", "ro")
            .with_command("-c /etc/samen/nats.conf")
            .with_exposed_ports(4222)
            .waiting_for(LogMessageWaitStrategy("Server is ready"))
        )
        self._made = [postgres, nats]
        for container in self._made:
            container.start()
        host, port = postgres.get_container_host_ip(), postgres.get_exposed_port(5432)
        self.admin_dsn = f"postgresql://postgres:{ADMIN_PASSWORD}@{host}:{port}/postgres"
        self.nats_url = f"nats://{nats.get_container_host_ip()}:{nats.get_exposed_port(4222)}"
        self.start_provisioner()

    def stop(self) -> None:
        """Stop provisioner and containers."""
        super().stop()
        for container in self._made:
            container.stop()
