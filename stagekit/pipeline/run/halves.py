"""The two halves of a comparison: what of each release is brought up, decided from their documents.
Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec.structs import replace

from stagekit import digest
from stagekit.alive import ourselves
from stagekit.containers import ANY_ADDRESS, COMPARISON, Container
from stagekit.errors import InputError, RunFailed
from stagekit.inputs.derived import Offer, derive, offers
from stagekit.inputs.document import to_yaml
from stagekit.inputs.near import known_names
from stagekit.inputs.sharing import shared
from stagekit.pipeline.verify import Verified
from stagekit.protocols import Engine
from stagekit.records import ComparedRelease, Deploy, Part, Stored

_RUNNER = "compose"
_HEADER = "# Derived from a sealed document, to run beside another.\n"
_LOOPBACK = "127.0.0.1"
_RELEASE = "stagekit.release"


class Asked(Part, frozen=True):
    """What a comparison is asked to do.

    Attributes:
        urls: paths of pages that both are asked for.
        headers: the names of those of their headers that count.
        command: a command's words, run on this machine once for each.
        service: whose port is asked, where there are several.
        port: which one: as the container has it, or as it is published.
        release_command: run the releases' own commands first.
    """

    urls: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    service: str = ""
    port: int | None = None
    release_command: bool = False

    @property
    def anything(self) -> bool:
        return bool(self.urls or self.command)


class Half(Part, frozen=True):
    """One release as it will be brought up.

    Attributes:
        sealed: as it was released.
        derived: the same under another project's name, with the document that was derived.
        offers: the ports it publishes.
        asked_at: the one of them that is asked.
        about: what is recorded of it, as far as it is known.
    """

    sealed: Verified
    derived: Verified
    offers: tuple[Offer, ...]
    asked_at: Offer | None
    about: ComparedRelease

    @property
    def name(self) -> str:
        return self.about.name


def half_of(checked: Verified, asked: Asked, *, called: str, engine: Engine) -> Half:
    """Decide what of a release is brought up.

    Args:
        checked: the release.
        asked: what is wanted of it.
        called: sets its project's name apart from all others.
        engine: where it will run; not asked for anything.

    Raises:
        RunFailed: it shares something with the other one, or with what else runs; says what.
        InputError: it does not publish the port that is to be asked.
    """
    stored = checked.release
    release = stored.record
    _refuse(checked)
    named = replace(
        release,
        project=f"{release.project}-{called}",
        deploy=_deploy(release.deploy, asked),
    )
    made = derive(
        checked.document,
        project=named.compose_project,
        labels={COMPARISON: ourselves(), _RELEASE: release.name},
        host=_LOOPBACK if engine.local else ANY_ADDRESS,
    )
    text = (_HEADER + to_yaml(made.document)).encode()
    found = offers(checked.document)
    return Half(
        sealed=checked,
        derived=Verified(
            release=Stored(record=named, digest=stored.digest),
            text=text,
            document=made.document,
            files=checked.files,
        ),
        offers=found,
        asked_at=_chosen(found, asked, release.name),
        about=ComparedRelease(
            env=release.env,
            release=stored.link,
            project=named.compose_project,
            document=digest.of_bytes(text),
            left_out=made.left_out,
        ),
    )


def addresses(half: Half, containers: tuple[Container, ...], engine: Engine) -> Mapping[str, str]:
    """Return the addresses at which the ports of a half are reached, as the engine has chosen
    them."""
    host = _LOOPBACK if engine.local else urlsplit(engine.url).hostname or "localhost"
    found: dict[str, str] = {}
    for offer in half.offers:
        for container in containers:
            for port in container.ports if container.service == offer.service else ():
                if (port.target, port.protocol) == (str(offer.target), "tcp"):
                    found.setdefault(offer.name, f"{offer.scheme}://{host}:{port.number}")
    return found


def _refuse(checked: Verified) -> None:
    release = checked.release.record
    if release.deploy.engine != _RUNNER:
        raise RunFailed(
            f"it is run by {release.deploy.engine}, and only Compose runs two beside each other",
            where=release.name,
            hint="inv release.diff compares releases without running them",
        )
    reasons = shared(checked.document, checked.mounted)
    if len(reasons) == 1:
        [reason] = reasons
        raise RunFailed(
            f"it cannot run beside another: {reason.what}",
            where=f"{release.name}, {reason.where}",
            hint=reason.hint,
        )
    if reasons:
        raise RunFailed(
            f"it cannot run beside another, for {len(reasons)} reasons",
            where=release.name,
            hint="; ".join(dict.fromkeys(reason.hint for reason in reasons)),
            output=tuple(map(str, reasons)),
        )


def _deploy(deploy: Deploy, asked: Asked) -> Deploy:
    """Leave out what works on the environment: its hooks, and checks of addresses that it has."""
    return replace(
        deploy,
        hooks={},
        checks=tuple(check for check in deploy.checks if check.asked_from != "here"),
        release_command=deploy.release_command if asked.release_command else None,
    )


def _chosen(found: tuple[Offer, ...], asked: Asked, name: str) -> Offer | None:
    """Return the port that is asked; None where there is none, or none is needed."""
    left = [offer for offer in found if asked.service in ("", offer.service)]
    if asked.port is not None:
        left = [offer for offer in left if offer.target == asked.port] or [
            offer for offer in left if str(asked.port) in offer.published
        ]
    if len(left) == 1:
        return left[0]
    there = ", ".join(offer.name for offer in found)
    if left and asked.anything:
        raise InputError(
            f"which port of {name}? It publishes {there}",
            where="--service, --port",
            hint=f"--service {left[0].service} --port {left[0].target}",
        )
    if not left and (asked.service or asked.port is not None):
        wanted = ":".join(filter(None, (asked.service, str(asked.port or ""))))
        raise InputError(
            f"{name} publishes no TCP port {wanted}",
            where="--service, --port",
            hint=known_names(wanted, [offer.name for offer in found]),
        )
    if not left and asked.urls:
        raise InputError(
            f"{name} publishes no TCP port: no page of it can be asked for from here",
            where="--url",
            hint="publish one in the template (ports:), or ask by a command after --",
        )
    return None
