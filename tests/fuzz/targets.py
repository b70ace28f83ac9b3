"""What can be fuzzed: readers of stagekit's, each with what it usually gets to read.

Whatever the bytes are, a reader returns, or raises a StagekitError that says what and where: within
a time and within memory, which `tests.fuzz.child` and libFuzzer see to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stagekit import digest
from stagekit.builtin.sops import STORE, SopsSecrets
from stagekit.cli.line import split
from stagekit.cli.plan import read_plan
from stagekit.engine.context import Ignoring
from stagekit.envelope import decode, encode
from stagekit.errors import LedgerError, StagekitError
from stagekit.init.found import find
from stagekit.init.nodes import entries, holders, parsed, scalars, value_of
from stagekit.inputs import age
from stagekit.inputs.dockerfile import read_bases
from stagekit.inputs.document import parse_sealed
from stagekit.inputs.environment import load_environment
from stagekit.inputs.expansion import refuse_endless
from stagekit.inputs.fileindex import FileIndex
from stagekit.inputs.globs import Globs
from stagekit.inputs.includes import files_read
from stagekit.inputs.interpolation import filled, references
from stagekit.inputs.limits import refuse_unstartable
from stagekit.inputs.project import load_project
from stagekit.inputs.secrets import carried_by, read_secrets
from stagekit.inputs.sharing import shared
from stagekit.inputs.templates import render
from stagekit.inputs.usage import uses
from stagekit.ledger.bundles import Packed, opened, unpack_image, write_bundle
from stagekit.ledger.git.address import parse_address
from stagekit.ledger.git.entry import Addition, message, read_seal
from stagekit.ledger.git.objects import entries_of
from stagekit.ledger.git.series import Listed
from stagekit.records import Build, Bundle, Planned, Release, Run
from stagekit.testing.records import ENGINE, NOON, a_build, a_release, a_run, sha, stored_release
from tests.bombs import BOMBS

Read = Callable[[bytes, Path], object]

SETTINGS = b"""[tool.stagekit]
name = "shop"
registry = ["registry.test:5000/a", "b.test"]
template = ["templates/compose.yaml", "more.yaml"]
tags = ["{{ branch }}"]
jobs = 4
ledger = { url = "git+ssh://git@host/ledger.git#x" }
sbom = { timeout = 3.5 }
sign = { key = "k", timeout = 1 }
checks.well = { run = "true 'a b'", image = "web", timeout = 9 }
[tool.stagekit.images.web]
context = "."
args = { A = "1" }
platforms = ["linux/arm64"]
secrets.npm = { env = "TOKEN" }
depends = ["base"]
[tool.stagekit.images.base]
"""
ENVIRONMENT = b"""extends = "base"
unset = ["a.b"]
[stagekit]
timeout = 12.5
settle = 0
free_disk = 10
profiles = ["x"]
hooks.before_up = ["true"]
checks = [{ url = "http://localhost:1/", status = 200, deadline = 3 }]
release_command = { service = "web", command = ["x"] }
[vars]
DEBUG = true
web = { port = 8080, hosts = ["a", "b"] }
many = [
  "a",
  "]",
]
"""
COMPOSE = b"""include: [{path: other.yaml, env_file: /dev/null}]
x-a: &a {logging: {driver: json-file}}
services:
  web:
    <<: *a
    image: ${IMAGE_WEB:-web:${TAG-1}}
    extends: {file: other.yaml, service: base}
    env_file: [{path: .env, required: false}]
    environment: {A: "${B:?no}", C: $$D}
    ports: ["8080:80", {target: 80, published: "1"}]
    volumes: ["./a:/b:ro", {type: bind, source: ., target: /c}]
    deploy: {replicas: 2}
configs: {c: {file: ./c, content: "x"}}
secrets: {s: {file: ./s}}
volumes: {v: {driver_opts: {device: ./d}}}
"""
TEMPLATE = b"""{% import 'm.j2' as m %}{% for x in range(3) %}
services: {web: {image: {{ images.app | yaml }}, command: [{{ web.port | quote }}, ${x}]}}
{% endfor %}{{ web | env }}{{ "%s" | format(x) }}{{ x | default("y") | upper }}
{% set n = namespace(a=[1]) %}{% macro f(a, b=2) %}{{ a ~ b }}{% endmacro %}{{ f(1) }}
{% if x is defined and x in ["y"] %}{{ [1, 2] | join(",") }}{% endif %}{% include 'no' %}
"""
DOCKERFILE = b"""# escape=\\
ARG V=1
FROM --platform=$P base:${V:-2} AS one
RUN --mount=type=cache,from=two,target=/x \\
  true
FROM one
COPY --from=three /a /b
COPY --from=0 a b
"""
SEALED = b"""services:
  web:
    image: "a@sha256:00"
    environment: {A: "b$$c"}
    networks: {n: {ipv4_address: 10.0.0.1}}
    volumes: [{type: volume, source: v, target: /v}]
networks: {n: {ipam: {config: [{subnet: 10.0.0.0/8}]}}}
volumes: {v: {}}
configs: {c: {content: x}}
"""


def settings(data: bytes, folder: Path) -> None:
    _put(folder / "pyproject.toml", data)
    project = load_project(folder, {})
    parse_address(project.ledger.url or "x", folder, where="[tool.stagekit.ledger] url")


def environment(data: bytes, folder: Path) -> None:
    (folder / "pyproject.toml").unlink(missing_ok=True)
    _put(folder / "environments/base/config.toml", b"[vars]\na = { b = 1 }\n")
    _put(folder / "environments/prod/config.toml", data)
    load_environment(load_project(folder, {}), "prod")


def secrets(data: bytes, folder: Path) -> None:
    _put(folder / "secrets.toml", data)
    _both(
        lambda: read_secrets(folder / "secrets.toml", "secrets.toml"),
        lambda: carried_by({"secrets.toml": data}),
    )


def sops(data: bytes, folder: Path) -> None:
    _put(folder / STORE, data)
    store = SopsSecrets({})
    store.carried(store.names([folder]), [folder])


def template(data: bytes, folder: Path) -> None:
    _put(folder / "m.j2", b"{% macro x() %}y{% endmacro %}")
    _put(folder / "compose.yaml.j2", data)
    rendered = render(
        folder / "compose.yaml.j2",
        root=folder,
        variables={"web": {"port": 8080}, "x": "y"},
        images={"app": "app@sha256:00"},
        env="prod",
        project="shop",
    )
    refuse_endless(rendered.text, where="compose.yaml.j2")


def compose(data: bytes, folder: Path) -> None:
    """As a release reads it before Compose does."""
    _put(folder / "other.yaml", b"services: {base: {image: x, env_file: e}}\n")
    _put(folder / "compose.yaml", data)
    text = data.decode("utf-8", "replace")
    references(text, where="compose.yaml")
    refuse_endless(text, where="compose.yaml")
    files_read(text, folder, variables={"TAG": "1"}, where="compose.yaml")
    uses([folder / "compose.yaml"], folder)
    filled(text, {"TAG": "1"})


def moving_in(data: bytes, folder: Path) -> None:
    """As `stagekit init` reads it before Compose does."""
    _put(folder / "compose.yaml", data)
    for file in find(folder).files:
        node = parsed(file.text, file.where)
        references(file.text, where=file.where)
        list(map(value_of, scalars(node)))
        for _, entry in entries(node):
            list(holders(entry.value))


def sealed(data: bytes, folder: Path) -> None:
    """As a run reads a release."""
    document = parse_sealed(data, where="compose.yaml")
    shared(document)
    refuse_unstartable(document)


def record(data: bytes, folder: Path) -> None:
    _both(*(lambda kind=kind: decode(kind, data, where="it") for kind in (Build, Release, Run)))


def plan_file(data: bytes, folder: Path) -> None:
    _put(folder / "plan.toml", data)
    read_plan(str(folder / "plan.toml"))


def identity(data: bytes, folder: Path) -> None:
    _put(folder / "key", data)
    _both(
        lambda: age.identities({age.VARIABLE: str(folder / "key")}),
        lambda: age.identities({age.VARIABLE: data.decode("utf-8", "replace").replace("\0", "")}),
        lambda: age.check_recipient(data.decode("utf-8", "replace"), "it"),
    )


def bundle(data: bytes, folder: Path) -> None:
    _put(folder / "bundle.tar", data)
    with opened(folder / "bundle.tar") as (found, _, tar):
        for image in found.images.values():
            unpack_image(tar, image, folder)


def ledger(data: bytes, folder: Path) -> None:
    """As it comes from its repository: whoever reads one says which."""
    text = data.decode("utf-8", "replace")
    read_seal(text)
    for read in (lambda: Listed(text).recorded(), lambda: list(entries_of(data, "sha1"))):
        with suppress(LedgerError):
            read()
    parse_address(text, folder, where="ledger.url")


def dockerfile(data: bytes, folder: Path) -> None:
    read_bases(data, {"V": "3"})


def dockerignore(data: bytes, folder: Path) -> None:
    lines = data.decode("utf-8", "surrogateescape").splitlines()
    ignoring = Ignoring([line.strip() for line in lines if line.strip()])
    for path in ("a", "a/b/c.py", "node_modules/x/y", ".git", "a.log", "\u20ac/[x]"):
        ignoring.travels(path)


def globs(data: bytes, folder: Path) -> None:
    for path in ("a/b.py", "a/c/d.ts", "e"):
        if not (folder / path).exists():
            _put(folder / path, b"")
    words = data.decode("utf-8", "replace").split("\n")
    index = FileIndex(folder / ".index", "1")
    Globs(folder, words, where="needs", hidden=[".index"]).describe(index)


def command_line(data: bytes, folder: Path) -> None:
    split(data.decode("utf-8", "replace"))


@dataclass(frozen=True)
class Target:
    """A reader, and what it reads where all is well."""

    read: Read
    seeds: Sequence[bytes]

    def check(self, data: bytes, folder: Path) -> None:
        """Have ``data`` read in ``folder``: a value, or an error that says what and where."""
        told: tuple[str | None, ...] = ("a value",)
        try:
            self.read(data, folder)
        except StagekitError as error:
            told = (error.what, error.where)
        assert all(told), told


def targets(folder: Path) -> dict[str, Target]:
    """Return them by name; ``folder`` is written to."""
    bombs = [text.encode() for bomb in BOMBS.values() for text in bomb.values() if len(text) < 9000]
    plan = encode(_plan())
    key = str(age.new_identity())
    entry, _ = message("release prod/v1: x", None, [Addition("releases/prod", "v1", "a" * 40)])
    listed = f"v1 {'a' * 40}\nv2 -\nv2 {'b' * 40}\n"
    tree = b"100644 a\0" + bytes(20) + b"40000 b\0" + bytes(20)
    return {
        "settings": Target(settings, [SETTINGS]),
        "environment": Target(environment, [ENVIRONMENT]),
        "secrets": Target(secrets, [_secrets(key), _carried(key)]),
        "sops": Target(sops, [b'{"A": "ENC[x]", "sops": {"mac": ""}}', b"[" * 5000]),
        "template": Target(template, [TEMPLATE]),
        "compose": Target(compose, [COMPOSE, *bombs]),
        "moving in": Target(moving_in, [COMPOSE, *bombs]),
        "sealed": Target(sealed, [SEALED]),
        "record": Target(record, [encode(a_build()), encode(a_release()), encode(a_run())]),
        "plan file": Target(plan_file, [plan]),
        "identity": Target(identity, [f"# created\n{key}\n".encode(), key.encode()]),
        "bundle": Target(bundle, [_bundle(folder / "seed.tar")]),
        "ledger": Target(ledger, [entry.encode(), listed.encode(), tree, b"ssh://git@h/x#b"]),
        "dockerfile": Target(dockerfile, [DOCKERFILE]),
        "dockerignore": Target(
            dockerignore, [b"# x\n*.log\n!a.log\n**/b\n[a-z]?\nnode_modules/\n"]
        ),
        "globs": Target(globs, [b"**/*.py\n!a/c/**\n.\na/\n[!x]*"]),
        "command line": Target(command_line, [b'inv run --env \'a b\' "c\\"d" $X \\ e']),
    }


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _both(*reads: Callable[[], object]) -> None:
    """Do each; the first error is that of all."""
    failed = []
    for read in reads:
        try:
            read()
        except StagekitError as error:
            failed.append(error)
    assert all(error.what and error.where for error in failed)
    if failed:
        raise failed[0]


def _plan() -> Planned:
    release = stored_release().link
    facts = {"env": "prod", "project": "shop", "release": release, "reason": "run"}
    return Planned(**facts, engine=ENGINE, created=NOON, actor="ann@laptop")  # type: ignore[arg-type]


def _secrets(key: str) -> bytes:
    recipient = str(age.identities({age.VARIABLE: key})[0].to_public())
    return (
        f'schema = 1\nkey = "x"\n[recipients]\nann = "{recipient}"\n'
        '[secrets.A]\nfingerprint = "hmac-sha256:00"\nage = "YQ=="\n'
    ).encode()


def _carried(key: str) -> bytes:
    recipient = str(age.identities({age.VARIABLE: key})[0].to_public())
    return (
        f'schema = 1\n[layers.prod]\nkey = "x"\n[layers.prod.recipients]\nann = "{recipient}"\n'
        '[secrets.A]\nfingerprint = "random:00"\nlayer = "prod"\nage = "YQ=="\n'
    ).encode()


def _bundle(path: Path) -> bytes:
    build = encode(a_build())
    files = {"compose.yaml": b"services: {}\n", "files/ab/x": b"y"}
    release = a_release(
        build=decode(Build, build, where="").link,
        content_digest=digest.of_tree(files),
        files=digest.of_files(files),
    )
    packed = Packed(files={**files, "release.toml": encode(release)}, build=build, signature=b"{}")
    image = path.with_suffix(".image")
    image.write_bytes(b"image")
    facts = {"env": release.env, "release": packed.release.link, "created": NOON, "actor": "ann"}
    said = Bundle(**facts, images={"web": sha("web")})  # type: ignore[arg-type]
    write_bundle(path, said, packed, {sha("web"): image})
    return path.read_bytes()
