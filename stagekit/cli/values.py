"""The values that an argument can have, read from the project's files.

Names of folders and files, and where that is not enough the newest record: no engine is asked, and
nothing is written. What cannot be read has no values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.line import Typed
from stagekit.cli.task import Kind
from stagekit.errors import StagekitError
from stagekit.inputs.names import ARTIFACTS, BASE, ENVIRONMENTS, environments_in

if TYPE_CHECKING:
    from stagekit.inputs.secrets import SecretsFile
    from stagekit.ledger.files import FileLedger
    from stagekit.ledger.git.ledger import GitLedger

_LATEST = "latest"
_MEANT = (_LATEST, "current", "previous")
_RUNNING = "running"


def values(kind: Kind, at: Typed, app: App) -> Iterable[str]:
    """Return what a value of that kind can be.

    Args:
        kind: what it is.
        at: the cursor, and what was given before it.
        app: whose project it is.
    """
    find = _OF_KIND.get(kind)
    return find(_Known(at, app)) if find else ()


class _Known:
    """What a project's files say.

    Args:
        at: the cursor, and what was given before it.
        app: whose project it is.
    """

    def __init__(self, at: Typed, app: App) -> None:
        self._word = at.word
        self._app = app
        self._folder = app.root / ENVIRONMENTS
        self._env = at.value("env") or at.value("from")
        self._to = at.value("to") or self._env

    @cached_property
    def ledger(self) -> FileLedger | GitLedger:
        """The records as they lie here; `App.ledger` would close builds that were interrupted, and
        ask the remote of a shared ledger."""
        with suppress(StagekitError):
            if self._app.project.ledger.url:
                return self._seen_last()
        return self._files

    @property
    def _files(self) -> FileLedger:
        from stagekit.ledger.files import FileLedger

        return FileLedger(self._app.root / ARTIFACTS)

    def _seen_last(self) -> FileLedger | GitLedger:
        """Return the shared ledger as it was seen last; one of a plugin's has nothing here."""
        from stagekit.ledger.git.ledger import GitLedger

        ledger = self._app.shared_ledger
        if not isinstance(ledger, GitLedger):
            return self._files
        ledger.exchange.look_back()
        return ledger

    def environments(self) -> tuple[str, ...]:
        return environments_in(self._folder)

    def layers(self) -> tuple[str, ...]:
        return (*self.environments(), BASE)

    def named_releases(self, *meant: str) -> Iterator[str]:
        """Yield ``ENV/ID``, and ``ENV/WORD`` for the words that mean a release."""
        return self._in_environment(lambda env: self._releases(env, *meant))

    def runs(self) -> Iterator[str]:
        return self._in_environment(lambda env: map(str, self.ledger.runs(env)))

    def builds(self, *meant: str) -> Iterable[str]:
        found = self.ledger.builds_by_name()
        return (*found, *meant) if found else ()

    def _in_environment(self, names: Callable[[str], Iterable[str]]) -> Iterator[str]:
        """Yield ``ENV/NAME``; the environment alone until that is typed."""
        env, slash, _ = self._word.partition("/")
        if slash:
            yield from (f"{env}/{name}" for name in names(env))
        else:
            yield from (f"{name}/" for name in self._with_records())

    def _releases(self, env: str, *meant: str) -> Iterable[str]:
        """Return an environment's releases, the newest first, and if there is one, the words that
        mean one."""
        found = self.ledger.releases(env)
        return (*found, *meant) if found else ()

    def ids(self) -> Iterable[str]:
        """Return ids of the environment that was given; of any, where none was yet."""
        if "/" in self._word:
            return self.named_releases()
        found = (id for env in self._asked() for id in self._releases(env))
        return dict.fromkeys(found)

    def services(self) -> Iterable[str]:
        """Return the services of the newest release."""
        from stagekit.pipeline.history import newest_release

        found: set[str] = set()
        for env in self._asked():
            with suppress(StagekitError):
                if id := newest_release(self.ledger, env):
                    found.update(self.ledger.release(env, id).record.pins)
        return sorted(found)

    def hosts(self) -> Iterable[str]:
        """Return the hosts that the last run was on, or knew that something was left on."""
        found: set[str] = set()
        for env in self._asked():
            with suppress(StagekitError):
                for n in self.ledger.runs(env)[:1]:
                    run = self.ledger.run(env, n).record
                    found.update(host.name for host in (*run.hosts, *run.left))
        return sorted(found)

    def several_services(self) -> Iterator[str]:
        return self._listed(self.services())

    def numbers(self) -> Iterator[str]:
        """Yield ``SERVICE=``: how many is not known here."""
        return self._listed(f"{name}=" for name in self.services())

    def _listed(self, names: Iterable[str]) -> Iterator[str]:
        """Yield what the last of several values, separated by commas, can be."""
        before, comma, last = self._word.rpartition(",")
        there = {item.partition("=")[0] for item in before.split(",")}
        if "=" not in last:
            yield from (f"{before}{comma}{name}" for name in names if name.rstrip("=") not in there)

    def secrets(self) -> Iterable[str]:
        """Return the secrets that any environment has: another's may be wanted here too."""
        return sorted({name for file in self._secret_files() for name in file.secrets})

    def recipients(self) -> Iterable[str]:
        """Return by name who can open the environment's secrets."""
        return sorted({name for file in self._secret_files(self._env) for name in file.recipients})

    def variables(self) -> Iterable[str]:
        """Return the variables of the environment that was given, as people write them."""
        from stagekit.inputs.environment import load_environment
        from stagekit.inputs.merge import dotted, leaves

        if not self._to:
            return ()
        found = load_environment(self._app.project, self._to).variables.values
        return [dotted(key) for key, _ in leaves(found)]

    def settings(self) -> Iterable[str]:
        """Return ``KEY=``; what comes after is anybody's guess."""
        return () if "=" in self._word else [f"{name}=" for name in self.variables()]

    def _asked(self) -> Iterable[str]:
        return (self._env,) if self._env else self._with_records()

    def _with_records(self) -> Iterable[str]:
        """Return the project's environments, and those that are gone but were released to."""
        return sorted({*self.environments(), *self.ledger.environments()})

    def _secret_files(self, env: str = "") -> Iterator[SecretsFile]:
        from stagekit.inputs.secrets import FILE, read_secrets

        for name in (env,) if env else (*self.environments(), BASE):
            with suppress(StagekitError):
                if file := read_secrets(self._folder / name / FILE, name):
                    yield file


_OF_KIND: Mapping[Kind, Callable[[_Known], Iterable[str]]] = {
    "environment": _Known.environments,
    "layer": _Known.layers,
    "release": lambda known: known.named_releases(*_MEANT),
    "side": lambda known: known.named_releases(*_MEANT, _RUNNING),
    "id": _Known.ids,
    "run": _Known.runs,
    "build": _Known.builds,
    "any build": lambda known: known.builds(_LATEST),
    "service": _Known.services,
    "services": _Known.several_services,
    "host": _Known.hosts,
    "numbers": _Known.numbers,
    "secret": _Known.secrets,
    "recipient": _Known.recipients,
    "variable": _Known.variables,
    "setting": _Known.settings,
}
