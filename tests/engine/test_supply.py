"""What an image is made of, and who signed it: Syft and cosign, both of cosign's ways, on a real
engine and registry."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stagekit.builtin.sbom import Sbom
from stagekit.engine.docker import DockerEngine
from stagekit.errors import InputError
from stagekit.events import Event
from stagekit.inputs.extending import SbomSettings
from stagekit.ledger.files import FileLedger
from tests.conftest import Machine
from tests.engine.packages import unpack_of_suite
from tests.repository import Repository

pytestmark = pytest.mark.engine

SETTINGS = """
[tool.stagekit.sign]
key = "cosign.key"
public_key = "cosign.pub"
"""
PASSWORD = "of the tests"  # noqa: S105  # it opens what the tests made


@pytest.fixture(scope="module", params=["trixie", "unstable"])
def cosign(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Version 2, and version 3."""
    folder = tmp_path_factory.mktemp("cosign")
    unpack_of_suite(request.param, ["cosign"], folder / "root")
    yield folder / "root/usr/bin"
    shutil.rmtree(folder)


@pytest.fixture
def signing(deployed: Repository, cosign: Path) -> Repository:
    """A repository that signs, and whose prod wants that verified."""
    deployed.environ |= {
        "PATH": f"{cosign}{os.pathsep}{deployed.environ['PATH']}",
        "COSIGN_PASSWORD": PASSWORD,
    }
    make_keys(deployed, "cosign")
    deployed.write("pyproject.toml", deployed.read("pyproject.toml") + SETTINGS)
    deployed.write("environments/prod/config.toml", "[stagekit]\nverify_signatures = true\n")
    return deployed


def make_keys(repository: Repository, name: str) -> None:
    subprocess.run(
        ["cosign", "generate-key-pair", "--output-key-prefix", name],
        cwd=repository.root,
        env=repository.environ,
        capture_output=True,
        check=True,
    )


def test_what_is_signed_runs_and_nothing_else(signing: Repository) -> None:
    """Build and release sign by themselves; a run looks at both, and says what is not signed, or by
    somebody else, before it touches anything."""
    doctor = {part["name"]: part for part in signing.inv("doctor", "--json").json}
    assert doctor["cosign"]["found"]
    signing.inv("build")
    assert "sign    prod/v1" in signing.inv("release", "--env", "prod").stderr
    assert signing.inv("run", "--env", "prod", "--json").json["outcome"] == "running"

    make_keys(signing, "other")
    settings = signing.read("pyproject.toml")
    signing.write("pyproject.toml", settings.replace('"cosign.pub"', '"other.pub"'))
    refused = signing.attempt("run", "--env", "prod")
    assert refused.code == 2
    assert "prod/v1 is not signed by other.pub" in refused.stderr
    assert "next: inv sign prod/v1" in refused.stderr
    assert signing.inv("run.status", "--env", "prod", "--exit-code").code == 0

    signing.write("pyproject.toml", settings.replace("cosign.", "other."))
    signing.inv("sign", "prod/v1")
    refused = signing.attempt("sign", "prod/v1", "--verify")
    assert refused.code == 2
    assert ": not signed by other.pub" in refused.stderr
    build = signing.inv("build.list", "--json").json[0]["id"]
    assert f"next: sign the build that made it: inv sign {build}" in refused.stderr
    signing.inv("sign", build)
    assert signing.inv("sign", "prod/v1", "--verify").stdout.startswith("prod/v1 is signed")
    assert PASSWORD not in refused.text


def test_what_was_not_signed_is_refused(signing: Repository) -> None:
    """Also where somebody made the release ask for nothing: the environment at hand does."""
    signing.write(
        "pyproject.toml", signing.read("pyproject.toml").replace('key = "cosign.key"\n', "")
    )
    signing.inv("build")
    config = signing.read("environments/prod/config.toml")
    signing.write("environments/prod/config.toml", "")
    signing.inv("release", "--env", "prod")
    signing.write("environments/prod/config.toml", config)
    refused = signing.attempt("run", "--env", "prod")
    assert refused.code == 2
    assert "artifacts/signatures/prod/v1.json: prod/v1 is not signed" in refused.stderr
    refused = signing.attempt("sign", "prod/v1")
    assert "no key is named to sign with" in refused.stderr
    signing.inv("release", "--env", "dev")
    assert signing.inv("run", "--env", "dev", "--json").json["outcome"] == "running"


def test_what_cannot_sign_fails_no_build(signing: Repository) -> None:
    """It is a warning with cosign's own reason, kept; the build is there, to be signed later."""
    signing.environ["COSIGN_PASSWORD"] = PASSWORD[::-1]
    built = signing.inv("build")
    assert "warning: key cosign.key: cannot sign " in built.stderr
    assert "decryption failed" in signing.read("artifacts/warnings.log")
    signing.environ["COSIGN_PASSWORD"] = PASSWORD
    signing.inv("sign", signing.inv("build.list", "--json").json[0]["id"])


@pytest.mark.parametrize(("format", "ending"), [("cyclonedx", "cdx"), ("spdx", "spdx")])
def test_a_bill_of_materials(deployed: Repository, format: str, ending: str) -> None:
    """Of the very image that the build recorded, in the form that is asked for."""
    settings = f'\n[tool.stagekit.sbom]\nformat = "{format}"\n'
    deployed.write("pyproject.toml", deployed.read("pyproject.toml") + settings)
    deployed.write("app/left-pad/package.json", '{"name": "left-pad", "version": "1.3.0"}')
    deployed.write(
        "app/Dockerfile",
        deployed.read("app/Dockerfile") + "COPY left-pad /node_modules/left-pad/\n",
    )
    built = deployed.inv("build", "--json")
    id = built.json["id"]
    path = f"artifacts/sboms/{id}/app.{ending}.json"
    assert path in built.stderr
    found = json.loads(deployed.read(path))
    packages = found["components"] if format == "cyclonedx" else found["packages"]
    assert ("left-pad", "1.3.0") in {
        (item["name"], item.get("version") or item.get("versionInfo")) for item in packages
    }
    assert built.json["images"]["app"]["digest"] in json.dumps(found)


class Elsewhere(DockerEngine):
    """An engine that does not have what was built, as one that was cleared."""

    def image(self, reference: str) -> None:  # noqa: ARG002
        return None


def test_a_bill_of_materials_from_the_registry(deployed: Repository, machine: Machine) -> None:
    """What the engine does not have is read from where it was pushed, by its digest."""
    deployed.inv("build")
    ledger = FileLedger(deployed.root / "artifacts")
    build = ledger.build(ledger.builds()[0])
    writer = Sbom(SbomSettings(), deployed.root / "artifacts")
    events: list[Event] = []
    engine = Elsewhere(machine.engine.endpoint, {})
    writer.stagekit_built(build, engine, events.append, deployed.environ)
    found = json.loads(writer.path(build.record.id, "app").read_text())
    image = build.record.images["app"]
    assert (found["metadata"]["component"]["name"], image.digest) == (
        image.repository,
        found["metadata"]["component"]["version"],
    )
    assert "busybox" in {item["name"] for item in found["components"]}


def test_without_syft_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The build is there; what to install is told, by doctor as well."""
    monkeypatch.setattr("stagekit.builtin.sbom.find_program", lambda *_: None)
    writer = Sbom(SbomSettings(), tmp_path)
    with pytest.raises(InputError, match="Syft is not installed"):
        writer.stagekit_built(None, None, print, {})  # type: ignore[arg-type]
    [finding] = writer.stagekit_doctor({})
    assert not finding.found
    assert "stagekit[sbom]" in str(finding.hint)
