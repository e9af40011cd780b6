"""The container deployment: each process gets its own bundle and nobody else's; the compose file keeps to it."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import databases, serve
from deploy.environment import ROOT
from deploy.gate_account import KEYS, STATES
from deploy.install import install_bundles, install_keys
from deploy.keys import FIRST_SLOTS, Keys
from deploy.serve import read_environment
from deploy.topology import NAMES
from services.gate.serving import DoorSettings
from services.gate.settings import GateSettings
from services.notifications.channel_settings import ChannelSettings
from services.notifications.mail import MailSettings
from services.notifications.times import NoticeSettings

MADE = [databases.ServiceDatabase(n, f"samen_{n}", f"dsn-{n}", f"relay-{n}", f"owner-{n}") for n in NAMES]


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    keys = Keys(tmp_path / "keys")
    config = tmp_path / "nats"
    config.mkdir()
    install_keys(keys, config)
    install_bundles(keys, tmp_path / "bundles", MADE, "nats://nats:4222", ("mail.example", 25))
    return tmp_path / "bundles"


def _slots(bundles: Path) -> list[str]:
    return Keys(bundles.parent / "keys").slots.names()


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_bundle_holds_its_own_secrets_only(bundles: Path) -> None:
    common = {"trusted.json", "environment"}
    assert _files(bundles / "goals") == common | {"creds/goals.creds", "tokens/goals.pem"}
    signing = {"creds/audit.creds", "tokens/audit.pem", "tokens/audit-log.pem", "audit-log.pub.pem"}
    public = {"audit-log.pub.pem", "witnesses.policy"}
    assert _files(bundles / "audit") == common | signing | public | {"tile-readers.json"}
    own = {"creds/notifications.creds", "tokens/notifications.pem", "tokens/witness.pem", "audit-log.pub.pem"}
    own |= {"channels/secret", "channels/vapid.pem"}
    assert _files(bundles / "notifications") == common | own, "the witness's key is not where the log's is"
    assert _files(bundles / "samen") == {"trusted.json", "creds/samen.creds", "tokens/samen.pem"} | public
    logins = {f"creds/provisioner-{account}.creds" for account in ("sys", "bus", "gate")}
    accounts = {f"accounts/{a}.jwt" for a in ("SYS", "BUS", "GATE", "PLATFORM")}
    slots = {f"slots/{a}/{name}" for a in _slots(bundles) for name in (*(f"{state}.jwt" for state in STATES), "made")}
    assert len(slots) == (len(STATES) + 1) * FIRST_SLOTS
    signing = {f"slot-keys/{a}{n}.nk" for a in _slots(bundles) for n in ("", *(f"-{n}" for n in range(1, KEYS)))}
    door = {"creds/gate.creds", "creds/gate-door.creds", "tokens/gate.pem"}
    assert _files(bundles / "gate") == common | door | signing, "who signs tools' users can push no account"
    assert _files(bundles / "provisioner") == logins | accounts | slots
    everything = [path for path in bundles.rglob("*") if path.is_file()]
    assert not [path for path in everything if path.stat().st_mode & 0o077]
    seeds = [p.read_bytes() for p in (bundles.parent / "keys" / "operator").glob("*.nk")]
    assert len(seeds) == 5
    assert not [path for path in everything if any(seed in path.read_bytes() for seed in seeds)]


def test_a_services_environment_names_files_of_its_bundle_and_no_owner(bundles: Path) -> None:
    for name in NAMES:
        env = read_environment(bundles / name / "environment")
        assert env["SAMEN_DATABASE_URL"] == f"dsn-{name}"
        assert f"owner-{name}" not in env.values()
        named = [value for value in env.values() if value.startswith("/run/samen/")]
        assert len(named) == {"audit": 7, "notifications": 7, "gate": 5}.get(name, 3)
        assert all((bundles / name / Path(value).relative_to("/run/samen")).exists() for value in named)
    assert "SAMEN_SMTP_HOST" not in read_environment(bundles / "goals" / "environment")
    assert read_environment(bundles / "notifications" / "environment")["SAMEN_SMTP_HOST"] == "mail.example"


def test_installing_again_changes_no_key(bundles: Path) -> None:
    before = {path: path.read_bytes() for path in bundles.rglob("*") if path.is_file()}
    keys = Keys(bundles.parent / "keys")
    install_keys(keys, bundles.parent / "nats")
    install_bundles(keys, bundles, MADE, "nats://nats:4222", ("mail.example", 25))
    assert {path: path.read_bytes() for path in before} == before


def _compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    return found


def test_compose_mounts_one_bundle_a_process_and_publishes_no_port() -> None:
    services = _compose()["services"]
    for name, service in services.items():
        assert "ports" not in service, name
        mounted = {volume.split(":")[0] for volume in service.get("volumes", [])}
        if name in (*NAMES, "provisioner", "samen"):
            own = {"audit": ["audit-log:/srv/samen/log"]}.get(name, [])
            assert service["volumes"] == [f"{name}-bundle:/run/samen:ro", *own]
            assert service["read_only"]
            assert service["cap_drop"] == ["ALL"]
            assert "no-new-privileges:true" in service["security_opt"]
        elif name not in ("keys", "databases"):
            assert not [v for v in mounted if v == "keys" or v.endswith("-bundle")], name
    assert all("healthcheck" in services[name] for name in (*NAMES, "provisioner"))
    assert [name for name in services if "outside" in services[name].get("networks", [])] == ["notifications"]


def test_compose_passes_on_what_a_deployment_may_set_and_leaves_the_defaults_to_the_code() -> None:
    services = _compose()["services"]
    mail = {f"SAMEN_MAIL_{name.upper()}" for name in MailSettings.model_fields}
    in_bundle = {"channel_secret", "vapid_key", "door_host", "door_port", "door_port_file"}
    mail |= {f"SAMEN_{name.upper()}" for name in ChannelSettings.model_fields.keys() - in_bundle}
    mail |= {f"SAMEN_NOTICES_{name.upper()}" for name in NoticeSettings.model_fields}
    tools = {f"SAMEN_GATE_{name.upper()}" for name in GateSettings.model_fields}
    tools -= {"SAMEN_GATE_CREDS", "SAMEN_GATE_WEBHOOK_LOOPBACK", "SAMEN_GATE_WEBHOOK_CA"}
    tools |= {f"SAMEN_{name.upper()}" for name in DoorSettings.model_fields if name.startswith("tool_")}
    for name in (*NAMES, "samen"):
        wanted = {"OTEL_EXPORTER_OTLP_ENDPOINT"}
        named = {"SAMEN_FOUNDATION"}
        wanted |= {
            "notifications": mail | named,
            "audit": named | {"SAMEN_TILES_PORT"},
            "samen": named,
            "gate": tools,
        }.get(name, set())
        passed_on = {key for key, value in services[name]["environment"].items() if value is None}
        assert passed_on == wanted, name


def test_compose_runs_the_command_line_with_what_is_said_after_its_name() -> None:
    samen = _compose()["services"]["samen"]
    assert (samen["entrypoint"], samen["command"]) == (["python", "-m", "deploy.samen"], ["status"])


@pytest.mark.parametrize("asked", [["goals"], ["audit.verify", "log"]])
def test_a_process_takes_its_bundles_environment_and_what_the_container_sets_wins(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "environment").write_text("SAMEN_A=bundle\nSAMEN_B=bundle=x\n")
    became: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(serve, "BUNDLE", tmp_path)
    monkeypatch.setattr(os, "execve", lambda _, command, env: became.append((command, env)))
    monkeypatch.setattr(sys, "argv", ["serve", *asked])
    monkeypatch.setenv("SAMEN_A", "container")
    serve.main()
    command, env = became[0]
    assert command == [sys.executable, "-m", f"services.{asked[0]}", *asked[1:]]
    assert (env["SAMEN_A"], env["SAMEN_B"]) == ("container", "bundle=x")
    monkeypatch.setattr(sys, "argv", ["serve", "nobody"])
    with pytest.raises(SystemExit, match="usage"):
        serve.main()


def test_the_image_runs_as_an_ordinary_user_and_takes_hashed_requirements() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert text.rindex("\nUSER 10001:10001\n") > text.rindex("\nCOPY ")
    assert "--require-hashes -r requirements.txt" in text
    for name in NAMES:
        assert f"/srv/bundles/{name}" in text
