"""What becomes of Compose's model of old files on its way into a release: each change is made
here once more, on purpose, with its reason. What a release has otherwise is unexplained."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stagekit.init.moving import Moving
from stagekit.init.unlike import PROJECT, Difference
from stagekit.inputs.files import EXTENSION, FOLDER
from stagekit.inputs.merge import Tree
from stagekit.inputs.names import ENVIRONMENTS, SECRET_PREFIX, SOURCE
from stagekit.inputs.seal import LABEL_FILES, LABEL_SECRETS
from stagekit.records import Pin

_GONE = {
    "build": "inv build makes the image, and a release names it",
    "develop": "inv up --watch does that; no release has it",
    "label_file": "its labels stand among the labels",
    "profiles": "what a release has, runs; the environment's profiles choose it",
}
_OURS = {LABEL_FILES, LABEL_SECRETS}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_OWN_NAMES = {
    "networks": "named after project and environment",
    "volumes": "named after project and environment: an empty one at first; what the old one "
    "holds stays there",
    "configs": "named after project and environment",
    "secrets": "named after project and environment",
}


@dataclass
class Expectation:
    """Makes of an old model what a release of it should be.

    Attributes:
        old: Compose's model of the old files.
        new: the release's document.
        was: the old Compose project's name.
        name: the new one's.
        env: the environment.
        labels: what stagekit writes on each service, besides digests.
        pins: the image of each service.
        images: those that are built here.
        stand_ins: secrets' names by the text that stood for them in the old files.
        moving: knows what was moved.
        folder: where the old files' paths start, relative to the root.
        variables: the environment's, as text.
        source_mounts: whether it may mount folders of the source.
        differences: what was changed so far.
    """

    old: Tree
    new: Tree
    was: str
    name: str
    labels: Mapping[str, str]
    pins: Mapping[str, Pin]
    images: Set[str]
    stand_ins: Mapping[str, str]
    moving: Moving
    folder: str
    variables: Mapping[str, str]
    source_mounts: bool
    differences: list[Difference] = field(default_factory=list)

    def made(self) -> Tree:
        """Return it; `differences` has what was changed, each with its reason."""
        model: Tree = json.loads(json.dumps(self.old))
        model["services"] = {
            name: service
            for name, service in model["services"].items()
            if name in self.new["services"]
        }
        if model.get("name") != self.name:
            self._changed(PROJECT, "name", "each environment is a Compose project of its own")
        model["name"] = self.name
        self._own_names(model)
        self._secret_files(model)
        self._configs(model)
        self._extensions(model)
        for name, service in model["services"].items():
            self._service(name, service)
        if self.moving.asks_project:
            for name, service in model["services"].items():
                new = self.new["services"][name]
                model["services"][name] = self._project_in_texts(name, service, new, "")
        return model

    def _changed(self, service: str, what: str, why: str) -> None:
        self.differences.append(Difference(service=service, what=what, why=why))

    def _extensions(self, model: Tree) -> None:
        """Compose makes nothing of ``x-`` keys; what services take from one is compared there."""
        for key in [key for key in model if key.startswith("x-")]:
            if model[key] != self.new.get(key):
                self._changed(PROJECT, key, "means nothing by itself; who takes it is compared")
                model[key] = self.new.get(key)
        if EXTENSION in self.new:
            model[EXTENSION] = self.new[EXTENSION]

    def _project_in_texts(self, name: str, old: Any, new: Any, path: str) -> Any:
        """Put the new project's name where the old one was asked for by ${COMPOSE_PROJECT_NAME}."""
        if isinstance(old, dict) and isinstance(new, dict):
            return {
                key: self._project_in_texts(name, item, new.get(key), f"{path}.{key}")
                for key, item in old.items()
            }
        if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            return [
                self._project_in_texts(name, *pair, path) for pair in zip(old, new, strict=True)
            ]
        named = isinstance(old, str) and old != new and old.replace(self.was, self.name) == new
        if named:
            self._changed(name, path.lstrip("."), "has the name of the Compose project in it")
        return new if named else old

    def _own_names(self, model: Tree) -> None:
        for kind, why in _OWN_NAMES.items():
            for key, item in (model.get(kind) or {}).items():
                if item and item.get("name") == f"{self.was}_{key}":
                    item["name"] = f"{self.name}_{key}"
                    self._changed(PROJECT, f"{kind}.{key}.name", why)

    def _secret_files(self, model: Tree) -> None:
        new = self.new.get("secrets") or {}
        for key, item in (model.get("secrets") or {}).items():
            if item.pop("file", None):
                given = (new.get(key) or {}).get("environment", "")
                if given.startswith(SECRET_PREFIX):
                    item["environment"] = given
                self._changed(PROJECT, f"secrets.{key}", "comes sealed, not from a file in clear")
            elif "environment" in item:
                item["environment"] = SECRET_PREFIX + item["environment"]
                self._changed(PROJECT, f"secrets.{key}", "comes sealed, not from the shell")

    def _configs(self, model: Tree) -> None:
        for key, item in list((model.get("configs") or {}).items()):
            path, variable = item.pop("file", None), item.pop("environment", None)
            if path:
                data = self._path(path).read_bytes()
                text = _text(data)
                if text is None:
                    self._binary_config(model, key, path)
                    continue
                item["content"] = text.replace("$", "$$")
                self._changed(PROJECT, f"configs.{key}", "the file's text stands in the release")
                if self._path(path).stat().st_mode & 0o100:
                    self._runnable(model, key)
            elif variable:
                secret = self.moving.secrets.get(variable)
                value = self.variables.get(variable, "")
                item["content"] = _open(secret) if secret else value.replace("$", "$$")
                self._changed(PROJECT, f"configs.{key}", "the variable's value stands in it")

    def _runnable(self, model: Tree, key: str) -> None:
        for service in model["services"].values():
            for item in service.get("configs") or []:
                if item["source"] == key:
                    item.setdefault("mode", 0o555)

    def _binary_config(self, model: Tree, key: str, path: str) -> None:
        del model["configs"][key]
        for name, service in model["services"].items():
            for item in [item for item in service.get("configs") or [] if item["source"] == key]:
                service["configs"].remove(item)
                mount = {"type": "bind", "source": path, "target": item.get("target") or f"/{key}"}
                service.setdefault("volumes", []).append(mount)
                self._changed(name, f"configs.{key}", "no text: mounted from the release's files")

    def _service(self, name: str, service: Tree) -> None:
        for key in (key for key in _GONE if key in service):
            del service[key]
            self._changed(name, key, _GONE[key])
        self._image(name, service)
        self._labels(name, service)
        self._environment(name, service)
        for item in (*(service.get("configs") or []), *(service.get("secrets") or [])):
            if isinstance(item.get("mode"), str):
                item["mode"] = int(item["mode"], 8)
        if "volumes" in service:
            mounts = [self._mount(name, mount) for mount in service["volumes"]]
            service["volumes"] = [mount for mount in mounts if mount]
            if not service["volumes"]:
                del service["volumes"]

    def _image(self, name: str, service: Tree) -> None:
        pin, was = self.pins[name], service.get("image")
        built = "build" in self.old["services"][name]
        if built and pin.asked in self.images:
            self._changed(name, "image", "the one that inv build makes, by its digest")
        elif was == pin.asked and was != pin.pinned:
            self._changed(name, "image", f"{was}, by its digest")
        elif was != pin.asked:
            return
        service["image"] = pin.pinned

    def _labels(self, name: str, service: Tree) -> None:
        new = self.new["services"][name].get("labels") or {}
        digests = {key: new[key] for key in _OURS & new.keys() if _DIGEST.fullmatch(new[key])}
        service["labels"] = {**(service.get("labels") or {}), **self.labels, **digests}
        self._changed(name, "labels.stagekit.*", "stagekit's own")

    def _environment(self, name: str, service: Tree) -> None:
        given = service.get("environment") or {}
        for key, value in given.items():
            if (name, key) in self.moving.given:
                given[key] = _open(self.moving.given[name, key])
                self._changed(name, f"environment.{key}", "comes from the environment's secrets")
            elif value is None:
                given[key] = self.variables.get(key, "").replace("$", "$$")
                self._changed(name, f"environment.{key}", "nothing gave it a value: empty")
            elif any(text in str(value) for text in self.stand_ins):
                given[key] = self._filled(str(value))
                self._changed(name, f"environment.{key}", "comes from the environment's secrets")

    def _filled(self, text: str) -> str:
        for stand_in, secret in self.stand_ins.items():
            text = text.replace(stand_in, _open(secret))
        return text

    def _path(self, source: str) -> Path:
        root = self.moving.found.root
        return Path(os.path.normpath(root / self.folder / source.replace("$$", "$")))

    def _mount(self, name: str, mount: Tree) -> Tree | None:
        source, root = str(mount.get("source") or "/"), self.moving.found.root
        if mount.get("type") != "bind" or source.startswith("~"):
            return mount
        path = self._path(source)
        if not path.is_relative_to(root):
            return mount
        what = f"volumes.{mount['target']}"
        held = path.is_file() or path.is_relative_to(root / ENVIRONMENTS)
        if not held and not self.source_mounts:
            self._changed(name, what, "a folder of the source: dev alone mounts it")
            return None
        options = {**(mount.get("bind") or {}), "create_host_path": False}
        if held:
            self._changed(name, what, "the file travels in the release, read-only")
            kept = self._kept(name, mount["target"], path.name)
            return {**mount, "source": kept or source, "read_only": True, "bind": options}
        below = str(path.relative_to(root)).replace("$", "$$")
        open_ = f"${{{SOURCE}}}" if below == "." else f"${{{SOURCE}}}/{below}"
        self._changed(name, what, "a folder of the source, where the run finds it")
        return {**mount, "source": open_, "bind": options}

    def _kept(self, name: str, target: str, file: str) -> str | None:
        """Return where the release has a mounted file, if it has it under its own name."""
        for mount in self.new["services"][name].get("volumes") or []:
            source = str(mount.get("source", ""))
            if mount.get("target") == target and source.startswith(f"./{FOLDER}/"):
                return source if source.endswith("/" + file.replace("$", "$$")) else None
        return None


def _text(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _open(secret: str) -> str:
    return f"${{{SECRET_PREFIX}{secret}}}"
