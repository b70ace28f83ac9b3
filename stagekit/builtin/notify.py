"""Tells people what was built, released and run, wherever they are: chat, mail, webhooks.

Through Apprise (https://github.com/caronc/apprise), the extra ``stagekit[notify]``, which knows how
to reach each service by an address such as ``slack://…``. Addresses hold tokens: they come from the
process's environment, or name its variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from stagekit.errors import InputError, StagekitError
from stagekit.inputs.extending import NotifySettings
from stagekit.plugins.spec import hookimpl
from stagekit.records import Build, Failure, Release, Run, Stored

_VARIABLE = "STAGEKIT_NOTIFY"
_NAMED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LAST_LINES = 10


class Notify:
    """Sends a message for each event that the project's settings want.

    Args:
        settings: ``[tool.stagekit.notify]``.
        name: the project's, which messages begin with.
        environ: has the addresses, in ``STAGEKIT_NOTIFY`` or by the names that the settings have.
    """

    def __init__(self, settings: NotifySettings, name: str, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._name = name
        self._environ = environ

    @hookimpl
    def stagekit_built(self, build: Stored[Build]) -> None:
        self._tell("build", f"built {build.record.id}", _of_build(build.record))

    @hookimpl
    def stagekit_build_failed(self, build: Stored[Build]) -> None:
        record = build.record
        self._tell("build failed", f"build {record.id} {record.status}", _of_build(record))

    @hookimpl
    def stagekit_released(self, release: Stored[Release]) -> None:
        record = release.record
        self._tell("release", f"released {record.name}", _of_release(record), env=record.env)

    @hookimpl
    def stagekit_ran(self, run: Stored[Run]) -> None:
        record = run.record
        event = "run" if record.outcome in ("running", "stopped") else "run failed"
        title = f"{record.env}/{record.release.id} {record.outcome}"
        self._tell(event, f"{title} (run {record.n}, {record.reason})", _of_run(record), record.env)

    def _tell(self, event: str, title: str, lines: Iterator[str], env: str | None = None) -> None:
        wanted = self._settings.environments
        if event not in self._settings.on or (env and wanted and env not in wanted):
            return
        addresses = list(self._addresses())
        if addresses:
            self._send(addresses, f"{self._name}: {title}", "\n".join(lines), event)

    def _addresses(self) -> Iterator[str]:
        yield from self._environ.get(_VARIABLE, "").split()
        for text in self._settings.urls:
            yield _NAMED.sub(lambda named: self._value_of(named[1]), text)

    def _value_of(self, name: str) -> str:
        if name not in self._environ:
            raise InputError(
                f"{name} has no value, and an address of [tool.stagekit.notify] names it",
                where="pyproject.toml [tool.stagekit.notify] urls",
                hint=f"export {name}=…, on the CI as one of its secrets",
            )
        return self._environ[name]

    def _send(self, addresses: list[str], title: str, body: str, event: str) -> None:
        try:
            from apprise import Apprise, NotifyType
        except ImportError as error:
            raise InputError(
                "messages need Apprise", hint="pip install 'stagekit[notify]'"
            ) from error
        sender = Apprise()
        for number, address in enumerate(addresses, 1):
            if not sender.add(address):
                raise InputError(
                    f"address {number} is none that Apprise knows",  # not shown: it holds a token
                    where=f"{_VARIABLE} or [tool.stagekit.notify] urls",
                    hint="https://github.com/caronc/apprise/wiki lists them",
                )
        kind = NotifyType.FAILURE if event.endswith("failed") else NotifyType.SUCCESS
        if not sender.notify(title=title, body=body or title, notify_type=kind):
            raise StagekitError(f"not everybody could be told: {title}")


def _of_build(build: Build) -> Iterator[str]:
    yield f"by {build.actor}"
    if build.source.commit:
        yield f"commit {build.source.commit[:9]}{'+' if build.source.dirty else ''}"
    if build.ci and build.ci.url:
        yield build.ci.url
    for failure in build.failures:
        yield from _of_failure(failure)


def _of_release(release: Release) -> Iterator[str]:
    yield f"from build {release.build.id}, by {release.actor}"
    if release.message:
        yield release.message
    for line in release.commits:
        yield f"- {line}"
    if release.ci and release.ci.url:
        yield release.ci.url


def _of_run(run: Run) -> Iterator[str]:
    yield f"by {run.actor}, {(run.finished - run.created).total_seconds():.0f} s"
    if run.ci and run.ci.url:
        yield run.ci.url
    if run.failure:
        yield from _of_failure(run.failure)


def _of_failure(failure: Failure) -> Iterator[str]:
    yield f"{failure.subject}, {failure.step}: {failure.message}"
    yield from (f"| {line}" for line in failure.output[-_LAST_LINES:])
