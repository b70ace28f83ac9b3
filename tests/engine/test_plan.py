"""What a run would do, said beforehand: held against what Compose says, and against what it did."""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stagekit.engine.programs import find_plugin
from tests.conftest import Machine
from tests.repository import Repository

pytestmark = pytest.mark.engine

BASE: dict[str, Any] = {
    "services": {
        "web": {"image": "${IMAGE_APP}", "stop_signal": "SIGKILL", "environment": {"A": "1"}},
        "side": {
            "image": "${IMAGE_APP}",
            "stop_signal": "SIGKILL",
            "command": ["sleep", "1000"],
            "network_mode": "service:web",
        },
        "store": {
            "image": "${IMAGE_APP}",
            "stop_signal": "SIGKILL",
            "command": ["sleep", "1000"],
            "networks": ["back"],
            "volumes": ["data:/data"],
        },
    },
    "networks": {"back": {}},
    "volumes": {"data": {}},
}


class Shop:
    """A project whose template is what a test makes of `BASE`."""

    def __init__(self, repository: Repository, machine: Machine) -> None:
        self.repository = repository
        self.machine = machine
        self.template: dict[str, Any] = json.loads(json.dumps(BASE))

    @property
    def services(self) -> dict[str, Any]:
        services: dict[str, Any] = self.template["services"]
        return services

    @property
    def project(self) -> str:
        return f"{self.repository.name}-dev"

    def release(self) -> str:
        self.repository.write("templates/compose.yaml", json.dumps(self.template))
        said = json.loads(self.repository.inv("release", "--env", "dev", "--json").stdout)
        return str(said["id"])

    def plan(self) -> dict[str, tuple[str, list[str]]]:
        """What would be done to each object, and why."""
        said = json.loads(self.repository.inv("run", "--env", "dev", "--plan", "--json").stdout)
        return {
            f"{item['what']} {item['name']}": (item["kind"], item["reasons"])
            for item in said["actions"]
        }

    def run(self) -> None:
        self.repository.inv("run", "--env", "dev")

    def ids(self) -> dict[str, str]:
        return {it.service: it.id for it in self.machine.engine.containers(self.project)}

    def compose(self, document: str, *flags: str) -> str:
        """Have Compose bring up a document as stagekit does, by hand; return what it said."""
        program = find_plugin("docker-compose", self.repository.environ)
        folder = self.repository.root / "artifacts/releases/dev"
        done = subprocess.run(
            [
                *(str(program), "--ansi", "never", "--project-name", self.project),
                *("--project-directory", str(folder), "--file", "-", "up", "--detach"),
                *("--remove-orphans", "--pull", "never", "--no-build", *flags),
            ],
            input=document,
            env={**self.repository.environ, **self.machine.environ},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stderr

    def document(self, id: str) -> str:
        return (self.repository.root / f"artifacts/releases/dev/{id}/compose.yaml").read_text()

    def said_by_compose(self, id: str) -> dict[str, set[str]]:
        """What Compose's own dry run does to the containers of each service."""
        said = self.compose(self.document(id), "--dry-run")
        found: dict[str, set[str]] = {}
        container = rf"Container (?:[0-9a-f]+_)?{self.project}-(\w+)-\d+\s+(\w+)"
        for name, verb in re.findall(container, said):
            found.setdefault(name, set()).add(verb)
        return found


@pytest.fixture
def shop(deployed: Repository, machine: Machine) -> Shop:
    deployed.write("environments/dev/config.toml", "[stagekit]\nsettle = 0\n")
    (deployed.root / "templates/compose.yaml.j2").unlink(missing_ok=True)
    deployed.inv("build")
    return Shop(deployed, machine)


MEANS = {
    "create": "Created",
    "recreate": "Recreated",
    "remove": "Removed",
    "restart": "Stopped",
    "start": "Started",
    "keep": "Running",
}


def check_against_compose(shop: Shop, id: str) -> dict[str, tuple[str, list[str]]]:
    """Hold the plan against Compose's dry run, and against what became of the containers."""
    plan = shop.plan()
    dry, before = shop.said_by_compose(id), shop.ids()
    services = {what.split()[1]: kind for what, (kind, _) in plan.items() if "service" in what}
    for name, kind in services.items():
        assert MEANS[kind] in dry[name], (name, kind, dry[name])
        if kind == "keep":
            assert not dry[name] & {"Created", "Recreated", "Removed"}
    shop.run()
    after = shop.ids()
    for name, kind in services.items():
        same = before.get(name) == after.get(name)
        assert same is (kind in ("keep", "restart", "start")), (name, kind)
    assert ("remove" in services.values()) is bool(before.keys() - after.keys())
    return plan


def test_plans_hold_what_they_say(shop: Shop) -> None:
    """First all is made, then nothing; then what a change asks for, and no more."""
    first = check_against_compose(shop, shop.release())
    assert {what: kind for what, (kind, _) in first.items()} == {
        "network default": "create",
        "network back": "create",
        "volume data": "create",
        "service web": "create",
        "service side": "create",
        "service store": "create",
    }
    plan = shop.plan()
    assert {kind for kind, _ in plan.values()} == {"keep"}
    assert "nothing changes" in shop.repository.inv("run", "--env", "dev", "--plan").stdout

    shop.services["web"]["environment"] = {"A": "2", "B": "x y"}
    plan = check_against_compose(shop, shop.release())
    assert plan["service web"] == (
        "recreate",
        ["environment.A 1 → 2", "environment.B added: x y"],
    )
    assert plan["service side"] == ("recreate", ["network_mode of web, which is recreated"])
    assert plan["service store"] == ("keep", [])

    shop.services["more"] = {**shop.services.pop("store"), "volumes": []}
    del shop.template["volumes"]
    plan = check_against_compose(shop, shop.release())
    assert plan["service store"] == ("remove", ["the release has no such service"])
    assert plan["service more"] == ("create", [])

    shop.template["networks"] = {"back": {"labels": {"kept": "no"}}}
    plan = check_against_compose(shop, shop.release())
    assert plan["network back"] == ("recreate", ["labels.kept added: no"])
    assert plan["service more"] == ("restart", ["network back is made anew"])
    assert plan["service web"] == ("keep", [])


def test_what_somebody_changed_is_put_right(shop: Shop) -> None:
    """A container that stopped is started; one of another definition is replaced, and it says
    that no release made it so; one that is gone is made."""
    id = shop.release()
    shop.run()
    with closing(shop.machine.client()) as client:
        client.containers.get(shop.ids()["store"]).stop(timeout=0)
    plan = check_against_compose(shop, id)
    assert plan["service store"] == ("start", [f"{shop.project}-store-1 is exited"])

    shop.compose(shop.document(id).replace('A: "1"', 'A: "by hand"'))
    plan = check_against_compose(shop, id)
    assert plan["service web"] == ("recreate", ["it is not what run 2 left"])

    with closing(shop.machine.client()) as client:
        client.containers.get(shop.ids()["store"]).remove(force=True)
    plan = check_against_compose(shop, id)
    assert plan["service store"] == ("create", [])


def test_a_plan_file_is_done_or_refused(shop: Shop, tmp_path: Path) -> None:
    """Exactly what it says, and its digest in the record; anything that changed since is said, and
    nothing is touched."""
    shop.release()
    shop.run()
    shop.services["web"]["environment"] = {"A": "2"}
    id = shop.release()
    file, late = tmp_path / "plan.toml", tmp_path / "late.toml"
    for path in (file, late):
        shop.repository.inv("run", "--env", "dev", "--plan-out", str(path))
    before = shop.ids()
    shop.repository.inv("run", "--plan-file", str(file))
    after = shop.ids()
    assert (before["store"] == after["store"], before["web"] == after["web"]) == (True, False)
    record = json.loads(shop.repository.inv("run.show", "dev/2", "--json").stdout)
    assert record["release"]["id"] == id
    assert record["plan"] == file.read_text().splitlines()[1].partition('"')[2].strip('"')

    refused = shop.repository.attempt("run", "--plan-file", str(late))
    assert refused.code == 5
    assert "it is not as it was planned any more" in refused.stderr
    assert shop.ids() == after
    wrong = shop.repository.attempt("run", "--plan-file", str(late), "--env", "prod")
    assert (wrong.code, f"this is a plan for dev/{id}" in wrong.stderr) == (2, True)
    late.write_text(late.read_text().replace("recreate", "keep"))
    edited = shop.repository.attempt("run", "--plan-file", str(late))
    assert "was changed or cut" in edited.stderr
    missing = shop.repository.attempt("run", "--plan-file", str(tmp_path / "none"))
    assert (missing.code, "--plan-out FILE writes one" in missing.stderr) == (2, True)


def test_a_rollback_can_be_planned(shop: Shop) -> None:
    """The release it goes to is that of the rollback."""
    shop.release()
    shop.run()
    shop.services["web"]["environment"] = {"A": "2"}
    shop.release()
    shop.run()
    said = shop.repository.inv("run.rollback", "--env", "dev", "--plan").stdout
    assert said.startswith("dev/v1 on ")
    assert "environment.A 2 → 1" in said


def test_a_volume_of_another_definition_is_refused(shop: Shop) -> None:
    """Compose goes on with the old one and says nothing; its data would go with it otherwise."""
    shop.release()
    shop.run()
    before = shop.ids()
    shop.template["volumes"] = {
        "data": {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}}
    }
    shop.release()
    refused = shop.repository.attempt("run", "--env", "dev")
    assert refused.code == 5
    assert f"volume {shop.project}_data is there with other options" in refused.stderr
    assert "device" in refused.stderr
    assert shop.ids() == before


def test_drift_is_seen(shop: Shop) -> None:
    """Changed by ``docker update`` and ``docker network``, by Compose with another file, taken
    away; CI is told by the exit code."""
    id = shop.release()
    assert shop.repository.attempt("run.status", "--env", "dev", "--exit-code").code == 1
    shop.run()
    assert shop.repository.attempt("run.status", "--env", "dev", "--exit-code").code == 0
    with closing(shop.machine.client()) as client:
        store = client.containers.get(shop.ids()["store"])
        store.update(mem_limit="64m", memswap_limit="64m")
        client.networks.get(f"{shop.project}_back").disconnect(store)
        client.containers.get(shop.ids()["side"]).remove(force=True)
    shop.compose(
        shop.document(id).replace('A: "1"', 'A: "by hand"'), "--no-deps", "--no-recreate", "web"
    )
    found = drift(shop)
    assert found["side"] == ["missing"]
    assert set(found["store"]) == {"settings"}
    shop.compose(shop.document(id).replace('A: "1"', 'A: "by hand"'))
    found = drift(shop)
    assert found["web"] == ["definition"]
    assert found["side"] == ["definition"]  # it names the container that it lives in
    assert shop.repository.attempt("run.status", "--env", "dev", "--exit-code").code == 1
    shop.run()
    assert drift(shop) == {}


def drift(shop: Shop) -> dict[str, list[str]]:
    [report] = json.loads(shop.repository.inv("run.status", "--env", "dev", "--json").stdout)
    found: dict[str, list[str]] = {}
    for item in report["drift"]:
        found.setdefault(item.get("service", ""), []).append(item["kind"])
    return found
