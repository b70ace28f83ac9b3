"""What an engine says of an environment: who holds it, what is in force, and what runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import docker
import yaml

from stagekit.errors import StagekitError
from stagekit.protocols import Ledger
from stagekit.records import Run

_STACK = "com.docker.stack.namespace"
_PROJECT = "com.docker.compose.project"


class InForce:
    """Looks at an engine from outside stagekit.

    Args:
        client: the engine's.
        project: the environment's, as its containers are named.
        env: the environment.
        swarm: it is a Swarm's manager, which keeps such things as configs.
        host: which host of a fleet it is.
    """

    def __init__(
        self,
        client: docker.DockerClient,
        project: str,
        env: str,
        *,
        swarm: bool = False,
        host: str = "",
    ) -> None:
        self._client = client
        self._project = project
        self._env = env
        self._swarm = swarm
        self._host = host

    def unrecorded(self, ledger: Ledger) -> Iterator[str]:
        """Yield what the engine says is in force, and no run says.

        On one engine that has to be a run that went well. A host of a fleet says it as soon as it
        is proven there, and keeps it where the run ends badly elsewhere: so the run's part of that
        host has to say so, or the run has no record yet.
        """
        standings = sorted(self._standings(), key=lambda said: str(said["when"]))
        for said in standings[-1:]:
            known = {run.n: run for run in _went_well(ledger, self._env)}
            run = known.get(said["run"])
            if self._host and self._is_told(ledger, said):
                continue
            if run is None or run.release.digest != said["release_digest"]:
                yield f"in force is {said['release']} by run {said['run']}, which is not recorded"

    def _is_told(self, ledger: Ledger, said: Mapping[str, Any]) -> bool:
        if said["run"] not in ledger.runs(self._env):
            return bool(said["run"] == ledger.unfinished_run(self._env))
        run = ledger.run(self._env, said["run"]).record
        here = next(host for host in run.hosts if host.name == self._host)
        ran = said["release"] if said["outcome"] == "running" else None
        return here.known and here.release == ran and run.release.digest == said["release_digest"]

    def unlike(self, ledger: Ledger) -> Iterator[str]:
        """Yield what is other than the newest run that went well says, or held by somebody."""
        if held := self._held():
            yield f"the lock of {self._project} is held: {held}"
        newest = next(_went_well(ledger, self._env), None)
        wanted = [(newest.n, newest.outcome, newest.release.id)] if newest else []
        found = [(said["run"], said["outcome"], said["release"]) for said in self._standings()]
        if found != wanted:
            yield f"in force are {found}, and the records say {wanted}"
        runs = self._greetings()
        if newest and newest.outcome == "running":
            wanted_greeting = {_greeting(ledger, newest)}
        else:
            wanted_greeting = set()
        if runs != wanted_greeting:
            yield f"containers say {runs}, and what is in force {wanted_greeting}"

    def _held(self) -> str:
        locks = self._labels(f"stagekit.lock={self._project}")
        top = max(locks, key=lambda labels: int(labels["stagekit.generation"]), default=None)
        return top["stagekit.holder"] if top and "stagekit.free" not in top else ""

    def _standings(self) -> list[dict[str, Any]]:
        labels = self._labels(f"stagekit.state={self._project}")
        return [json.loads(found["stagekit.standing"]) for found in labels]

    def _labels(self, label: str) -> Sequence[dict[str, str]]:
        if self._swarm:
            configs = self._client.configs.list(filters={"label": label})
            return [config.attrs["Spec"]["Labels"] for config in configs]
        found = self._client.api.volumes(filters={"label": label})["Volumes"]
        return [volume["Labels"] for volume in found or ()]

    def _greetings(self) -> set[str]:
        label = f"{_STACK if self._swarm else _PROJECT}={self._project}"
        found = self._client.containers.list(filters={"label": label}, ignore_removed=True)
        told = [dict(text.split("=", 1) for text in item.attrs["Config"]["Env"]) for item in found]
        return {each["GREETING"] for each in told}


def _went_well(ledger: Ledger, env: str) -> Iterator[Run]:
    for n in ledger.runs(env):
        run = ledger.run(env, n).record
        if run.outcome in ("running", "stopped"):
            yield run


def _greeting(ledger: Ledger, run: Run) -> str:
    try:
        document = ledger.release_files(run.env, run.release.id)["compose.yaml"]
    except (StagekitError, KeyError) as error:
        return f"unknown: {error}"
    return str(yaml.safe_load(document)["services"]["web"]["environment"]["GREETING"])
