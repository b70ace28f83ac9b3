"""What an image is made of, and who signed it: Syft and cosign, both of cosign's ways, on a real
engine and registry."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from examples.packages import unpack_of_suite
from stagekit import digest
from stagekit.builtin.sbom import Sbom
from stagekit.cancel import Cancel
from stagekit.engine.docker import DockerEngine
from stagekit.envelope import encode
from stagekit.events import Event
from stagekit.inputs.extending import SbomSettings
from stagekit.ledger.files import FileLedger
from stagekit.ledger.releases import RELEASE_RECORD
from tests.conftest import Machine
from tests.repository import Repository

pytestmark = pytest.mark.engine

SETTINGS = """
[tool.stagekit.sign]
key = "cosign.key"
public_key = "cosign.pub"
"""
STOPPING = """
import os, signal
import stagekit

class Stopping:
    @stagekit.hookimpl(tryfirst=True)
    def stagekit_built(self):
        os.kill(os.getpid(), signal.SIGINT)

ns = stagekit.collection(plugins=[Stopping()])
"""
PASSWORD = "of the tests"  # noqa: S105  # it opens what the tests made


@pytest.fixture(scope="module")
def cosign_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """Finds the folder of one of Debian's cosigns."""
    folder = tmp_path_factory.mktemp("cosign")

    def unpacked(suite: str) -> Path:
        if not (folder / suite).exists():
            unpack_of_suite(suite, ["cosign"], folder / suite)
        return folder / suite / "usr/bin"

    yield unpacked
    shutil.rmtree(folder)


@pytest.fixture
def cosign(request: pytest.FixtureRequest, cosign_of: Callable[[str], Path]) -> Path:
    """The newest, unless a test names another."""
    return cosign_of(getattr(request, "param", "unstable"))


@pytest.fixture
def signing(deployed: Repository, cosign: Path, tmp_path: Path) -> Repository:
    """A repository that signs, and whose prod wants that verified."""
    deployed.environ |= {
        "PATH": f"{cosign}{os.pathsep}{deployed.environ['PATH']}",
        "COSIGN_PASSWORD": PASSWORD,
        "HOME": str(tmp_path),
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


@pytest.mark.parametrize("cosign", ["trixie", "unstable"], ids=["2", "3"], indirect=True)
def test_what_is_signed_runs_and_nothing_else(signing: Repository, tmp_path: Path) -> None:
    """Build and release sign by themselves, and ask nobody but the registry; a run looks at both,
    and says what is not signed, or by somebody else, before it touches anything."""
    doctor = {part["name"]: part for part in signing.inv("doctor", "--json").json}
    assert all(doctor[name]["found"] for name in ("cosign", "signing key", "public key"))
    signing.inv("build")
    assert "sign    prod/v1  by cosign.key" in signing.inv("release", "-e", "prod").stderr
    ran = signing.inv("run", "--env", "prod", "--json")
    assert "signed  prod/v1  by cosign.pub; images: app" in ran.stderr
    assert ran.json["outcome"] == "running"
    assert not (tmp_path / ".sigstore").exists()

    make_keys(signing, "other")
    other = {"STAGEKIT_SIGN_KEY": "other.key", "STAGEKIT_PUBLIC_KEY": "other.pub"}
    refused = signing.attempt("run", "--env", "prod", **other)
    assert refused.code == 2
    assert "prod/v1 is not signed by other.pub" in refused.stderr
    assert "next: inv sign prod/v1" in refused.stderr
    assert len(signing.inv("run.history", "--env", "prod", "--json").json) == 1

    signing.inv("sign", "prod/v1", **other)
    refused = signing.attempt("sign", "prod/v1", "--verify", **other)
    assert refused.code == 2
    assert ": the image app is not signed by other.pub" in refused.stderr
    build = signing.inv("build.list", "--json").json[0]["id"]
    assert f"next: sign the build that made it: inv sign {build}" in refused.stderr
    signing.inv("sign", build, **other)
    verified = signing.inv("sign", "prod/v1", "--verify", **other)
    assert verified.stdout.startswith("prod/v1 is signed")
    earlier = signing.attempt("sign", "prod/v1", "--verify")  # of two signatures the later counts
    assert "prod/v1 is not signed by cosign.pub" in earlier.stderr
    assert signing.inv("release.show", "prod/v1", "--json").json["signed"] is True
    assert PASSWORD not in refused.text


def test_what_was_not_signed_is_refused(signing: Repository) -> None:
    """Also where somebody made the release ask for nothing: the environment at hand does."""
    signing.write(
        "pyproject.toml", signing.read("pyproject.toml").replace('key = "cosign.key"\n', "", 1)
    )
    signing.inv("build")
    config = signing.read("environments/prod/config.toml")
    signing.write("environments/prod/config.toml", "")
    signing.inv("release", "--env", "prod")
    signing.write("environments/prod/config.toml", config)
    for task in (("run",), ("run", "--plan")):
        refused = signing.attempt(*task, "--env", "prod")
        assert refused.code == 2
        assert "prod/v1 is not signed, by cosign.pub or anybody" in refused.stderr
    signing.write("environments/prod/config.toml", "[stagekit\n")  # nor by breaking that
    assert "is not signed" in signing.attempt("run", "--env", "prod").stderr
    refused = signing.attempt("sign", "prod/v1")
    assert "no key is named to sign with" in refused.stderr
    signing.inv("release", "--env", "dev")
    assert signing.inv("run", "--env", "dev", "--json").json["outcome"] == "running"


def test_a_release_that_is_sealed_anew_is_refused(signing: Repository) -> None:
    """Whoever writes the ledger makes every digest fit, and has no key."""
    signing.inv("build")
    signing.inv("release", "--env", "prod")
    ledger = FileLedger(signing.root / "artifacts")
    folder, record = ledger.release_folder("prod", "v1"), ledger.release("prod", "v1").record
    document = (folder / "compose.yaml").read_text().replace("hello, prod", "hello, thief")
    (folder / "compose.yaml").write_text(document)
    listing = digest.of_files(ledger.release_files("prod", "v1"))
    forged = replace(
        record,
        files=listing,
        content_digest=digest.of_listing(listing),
        deploy=replace(record.deploy, verify_signatures=False),
    )
    (folder / RELEASE_RECORD).write_bytes(encode(forged))
    assert "as it was sealed" in signing.inv("release.verify", "prod/v1").stdout
    refused = signing.attempt("run", "--env", "prod")
    assert refused.code == 2
    assert "prod/v1 is not signed by cosign.pub" in refused.stderr


def test_every_registry_has_the_signature_and_a_build_that_is_there_gets_it(
    signing: Repository, machine: Machine
) -> None:
    """Of a build that was made before there was a key, where nothing has changed since."""
    signing.environ["STAGEKIT_REGISTRY"] = f"{machine.registry}/one,{machine.registry}/two"
    build = signing.inv("build", "--json", STAGEKIT_SIGN_KEY="gone.key")
    assert "gone.key: there is no such key" in build.stderr
    image = build.json["images"]["app"]
    pins = [f"{image['repository']}@{image['digest']}"]
    pins += [f"{repository}@{digest}" for repository, digest in image["copies"].items()]
    assert len(pins) == 2
    unchanged = signing.inv("build")
    assert "nothing changed" in unchanged.stderr
    for pin in pins:
        assert f"sign    {pin}" in unchanged.stderr
        verified = ["cosign", "verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true", pin]
        subprocess.run(
            verified, cwd=signing.root, env=signing.environ, capture_output=True, check=True
        )
    assert "sign  " not in signing.inv("build").stderr


def test_what_was_pushed_nowhere_is_refused(signing: Repository) -> None:
    """Its signature would be in its registry; the release has one all the same."""
    signing.environ.pop("STAGEKIT_REGISTRY")
    signing.environ["STAGEKIT_HOME"] = str(signing.root / "no-registry-here")
    assert "app is not signed: it was pushed to no registry" in signing.inv("build").stderr
    signing.inv("release", "--env", "prod")
    refused = signing.attempt("run", "--env", "prod")
    assert refused.code == 2
    assert "the image app was pushed to no registry: nobody can have signed it" in refused.stderr


def test_what_cannot_sign_fails_no_build(signing: Repository) -> None:
    """It is a warning with cosign's own reason and what to type, kept; the build is there, to be
    signed later."""
    del signing.environ["COSIGN_PASSWORD"]
    built = signing.inv("build")
    assert "warning: key cosign.key: cannot sign " in built.stderr
    id = signing.inv("build.list", "--json").json[0]["id"]
    assert f"next: export COSIGN_PASSWORD=…, which opens the key; inv sign {id}" in built.stderr
    assert "decryption failed" in signing.read("artifacts/warnings.log")
    signing.inv("sign", id, COSIGN_PASSWORD=PASSWORD)


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
    assert deployed.inv("build.show", id, "--json").json["sboms"] == [path]
    found = json.loads(deployed.read(path))
    packages = found["components"] if format == "cyclonedx" else found["packages"]
    assert ("left-pad", "1.3.0") in {
        (item["name"], item.get("version") or item.get("versionInfo")) for item in packages
    }
    assert built.json["images"]["app"]["digest"] in json.dumps(found)


def test_a_bill_of_materials_of_what_was_built_before(deployed: Repository) -> None:
    """Settings that came later need no other build."""
    id = deployed.inv("build", "--json").json["id"]
    written = deployed.inv("sbom", "latest", "--json").json
    assert written == {"app": f"artifacts/sboms/{id}/app.cdx.json"}
    assert json.loads(deployed.read(written["app"]))["bomFormat"] == "CycloneDX"


def test_ctrl_c_after_the_record_ends_what_is_left(deployed: Repository) -> None:
    """Of several plugins none goes on for minutes; the build stays what it is."""
    deployed.write("tasks.py", STOPPING)
    deployed.write("pyproject.toml", deployed.read("pyproject.toml") + "\n[tool.stagekit.sbom]\n")
    stopped = deployed.attempt("build")
    assert stopped.code == 130
    assert "failed  sbom app" in stopped.stderr
    [build] = deployed.inv("build.list", "--json").json
    assert build["status"] == "succeeded"
    assert not (deployed.root / "artifacts/sboms").exists()


class Elsewhere(DockerEngine):
    """An engine that does not have what was built, as one that was cleared."""

    def image(self, reference: str) -> None:  # noqa: ARG002
        return None


def test_a_bill_of_materials_from_the_registry(deployed: Repository, machine: Machine) -> None:
    """What the engine does not have is read from where it was pushed, by its digest."""
    deployed.inv("build")
    ledger = FileLedger(deployed.root / "artifacts")
    build = ledger.build(ledger.builds()[0])
    writer = Sbom(SbomSettings(), deployed.root / "artifacts", Cancel())
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
