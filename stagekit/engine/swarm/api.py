"""What a Swarm manager is asked by its API, through the docker SDK."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from typing import Any, Literal, NamedTuple

from stagekit.engine.client import Client
from stagekit.engine.sdk import sdk
from stagekit.errors import EngineError, EngineRefused, LimitExceeded, RunFailed

STACK = "com.docker.stack.namespace"
"""Label by which ``docker stack`` knows what belongs to a stack."""

Kind = Literal["configs", "secrets"]
Found = dict[str, Any]

_LIMIT = 10.0
"""Seconds a manager may take: without a majority of managers each answer is that there is none."""

LONGEST_NAME, DIGITS = 64, 16
"""Characters of the name of a config or secret, and of those a digest's."""

_HEADER, _STDERR, _SYSTEM = 8, 2, 3
_NO_MAJORITY = ("does not have a leader", "deadline exceeded", "context deadline")
_NO_MANAGER = "not a swarm manager"
_OVERTAKEN = "out of sequence"
_EXISTS = "already exists"
_GONE = "not found"
_IN_USE = "is in use"
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT[\d:.]+Z")


class Printed(NamedTuple):
    """A line that a task printed, to ``stdout`` or ``stderr``, and when: the engine's own text."""

    stream: str
    time: str
    text: bytes


class Swarm:
    """The Swarm that an engine is a manager of.

    Args:
        client: the engine's.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.has_answered = False

    @property
    def url(self) -> str:
        return self.client.endpoint.url

    def id(self) -> str:
        """Return the id of the Swarm, which all its managers know it by.

        Raises:
            RunFailed: the engine is no manager of any.
            EngineError: it does not reach enough of the others.
        """
        try:
            return str(self._get("say which Swarm it manages", "/swarm")["ID"])
        except EngineRefused as error:
            if _NO_MANAGER not in error.what:
                raise
            raise RunFailed(
                "this engine is no manager of a Swarm",
                where=self.url,
                hint="name one: DOCKER_HOST=ssh://USER@MANAGER, or a docker context; "
                "docker swarm init makes this one the first",
            ) from error

    def node_here(self) -> str:
        """Return the id of the node that the engine is."""
        info, _ = self.client.described()
        return str((info.get("Swarm") or {}).get("NodeID") or "")

    def services(self, stack: str | None = None) -> list[Found]:
        return self._listed("services", stack)

    def tasks(self, stack: str | None = None) -> list[Found]:
        return self._listed("tasks", stack)

    def networks(self, stack: str) -> list[Found]:
        return self._listed("networks", stack)

    def nodes(self) -> dict[str, Found]:
        """Return the nodes by their ids."""
        return {found["ID"]: found for found in self._get("list its nodes", "/nodes")}

    def service(self, id: str) -> Found | None:
        """Return the service of an id, or None where it is gone."""
        with self.asking(f"look for service {id}"):
            answer = self._ask("GET", f"/services/{id}", missing=True)
            return dict(answer.json()) if answer.ok else None

    def task(self, id: str) -> Found:
        found: Found = self._get(f"find task {id}", f"/tasks/{id}")
        return found

    def printed(self, task: str, *, last: int | None = None, since: str = "") -> Iterator[Printed]:
        """Yield what a task printed, line by line.

        Args:
            task: its id.
            last: how many lines, by default all.
            since: only what came after that time, as a line before had it.
        """
        asked = {"stdout": "1", "stderr": "1", "timestamps": "1", "tail": str(last or "all")}
        if since:
            asked["since"] = _unix(since)
        with self.asking("give the logs of a task"):
            answer = self._ask("GET", f"/tasks/{task}/logs", params=asked)
            for line in _lines(answer.content):
                if not since or line.time > since:
                    yield line

    def objects(self, kind: Kind, label: str) -> list[Found]:
        """Return the configs, or the secrets, that have a label, ``key=value`` or ``key``."""
        filters = json.dumps({"label": [label]})
        found: list[Found] = self._get(f"list its {kind}", f"/{kind}", filters=filters)
        return found

    def object(self, kind: Kind, name: str) -> Found | None:
        """Return the config, or secret, of that name, or None."""
        filters = json.dumps({"name": [name]})  # of a prefix, too
        found = self._get(f"look for {name}", f"/{kind}", filters=filters)
        return next((item for item in found if item["Spec"]["Name"] == name), None)

    def create(self, kind: Kind, name: str, data: bytes, labels: Mapping[str, str]) -> bool:
        """Create a config or secret; return whether it was not there yet."""
        said = {"Name": name, "Labels": dict(labels), "Data": base64.b64encode(data).decode()}
        try:
            with self.asking(f"create {name}"):
                self._ask("POST", f"/{kind}/create", json=said)
        except EngineRefused as error:
            if _EXISTS in error.what:
                return False
            raise
        return True

    def relabel(self, found: Found, labels: Mapping[str, str]) -> bool:
        """Give a config labels, unless somebody changed or removed it since it was ``found``:
        return whether they are ours now. The manager compares and sets in one, and dates it."""
        spec = {**found["Spec"], "Labels": dict(labels)}
        version = {"version": str(found["Version"]["Index"])}
        try:
            with self.asking(f"update {spec['Name']}"):
                self._ask("POST", f"/configs/{found['ID']}/update", params=version, json=spec)
        except EngineRefused as error:
            if _OVERTAKEN in error.what or _GONE in error.what:
                return False
            raise
        return True

    def update_service(self, found: Found, spec: Found) -> None:
        """Give a service another specification, with the credentials that it has."""
        asked = {"version": str(found["Version"]["Index"]), "registryAuthFrom": "spec"}
        with self.asking(f"update service {spec['Name']}"):
            self._ask("POST", f"/services/{found['ID']}/update", params=asked, json=spec)

    def remove(self, kind: Kind | Literal["services"], id: str) -> None:
        """Remove it, if it is there and nothing uses it."""
        try:
            with self.asking(f"remove one of its {kind}"):
                self._ask("DELETE", f"/{kind}/{id}", missing=True)
        except EngineRefused as error:
            if _IN_USE not in error.what:
                raise

    @contextmanager
    def asking(self, what: str) -> Iterator[None]:
        """Turn what goes wrong into an EngineError, which says where managers are missing."""
        try:
            with self.client.asking(what):
                yield
        except EngineError as error:
            late = isinstance(error, LimitExceeded)
            if late or says_no_majority(error.what):
                error.hint = (
                    "it may reach too few of the Swarm's managers: bring them back (docker node "
                    "ls), or name one by DOCKER_HOST that has the others"
                )
            raise

    def _listed(self, what: str, stack: str | None) -> list[Found]:
        filters = {} if stack is None else {"filters": json.dumps({"label": [f"{STACK}={stack}"]})}
        found: list[Found] = self._get(f"list its {what}", f"/{what}", **filters)
        return found

    def _get(self, what: str, path: str, **params: str) -> Any:
        with self.asking(what):
            return self._ask("GET", path, params=params).json()

    def _ask(self, method: str, path: str, *, missing: bool = False, **more: Any) -> Any:
        """Ask for a path; what is not there is an error, unless it may be ``missing``."""
        api, errors = self.client.api, sdk().errors
        url = f"{api.base_url}/v{api.api_version}{path}"
        answer = api.request(method, url, timeout=_LIMIT, **more)
        if answer.ok or (missing and answer.status_code == 404):  # noqa: PLR2004  # HTTP's
            self.has_answered = True
            return answer
        try:
            explanation = answer.json().get("message")
        except ValueError:
            explanation = answer.text
        raise errors.APIError(str(explanation), response=answer, explanation=explanation)


def says_no_majority(text: str) -> bool:
    """Tell whether a manager says that it does not reach enough of the others to agree with."""
    return any(part in text for part in _NO_MAJORITY)


def fitting(name: str) -> str:
    """Return a name that Swarm takes, of at most 64 characters; a longer one ends in a digest."""
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - DIGITS - 1]}.{short(name.encode())}"


def short(data: bytes) -> str:
    """Return as much of a digest as stands in a name."""
    return hashlib.sha256(data).hexdigest()[:DIGITS]


def _lines(data: bytes) -> Iterator[Printed]:
    """Take apart what the API multiplexes, unless it came from a terminal:
    https://docs.docker.com/reference/api/engine/ (ContainerAttach, "Stream format"). A line ends
    with a line feed, whatever else it has: the engine puts a time before each of these alone."""
    time = ""
    while data:
        stream, size = "stdout", len(data)
        if data[0] <= _SYSTEM and data[1:4] == b"\0\0\0":
            kind, size = data[0], int.from_bytes(data[4:_HEADER], "big")
            stream = "stderr" if kind == _STDERR else "stdout"
            data = data[_HEADER:]
            if kind == _SYSTEM:  # why a node gave no lines, or not all, and no line of the task
                data = data[size:]
                continue
        for line in BytesIO(data[:size]):
            first, _, rest = line.partition(b" ")
            if timed := _TIME.fullmatch(first):
                time = first.decode("ascii")
            yield Printed(stream, time, rest if timed else line)
        data = data[size:]


def _unix(time: str) -> str:
    """Write a time as the API takes it: seconds, and what nanoseconds there are."""
    whole, _, fraction = time.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(f"{whole}+00:00").timestamp())
    return f"{seconds}.{fraction:0<9}"
