"""What Compose itself says of the old files: the values of ``.env``, and the model of each
environment. No engine is asked, and every call is bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stagekit.cancel import Cancel
from stagekit.engine.compose import Compose
from stagekit.engine.documents import Document
from stagekit.errors import ReleaseFailed
from stagekit.init.found import Found
from stagekit.inputs.document import to_yaml
from stagekit.inputs.expansion import refuse_endless
from stagekit.inputs.merge import Tree
from stagekit.inputs.seal import model_of

_SERVICE = "env"


@dataclass(frozen=True)
class Reader:
    """Asks Compose.

    Attributes:
        compose: the program.
        cancel: stops it.
        root: the project's folder.
        folder: where relative paths start, relative to the root.
    """

    compose: Compose
    cancel: Cancel
    root: Path
    folder: str

    @property
    def base(self) -> Path:
        return self.root / self.folder

    _read: dict[str, dict[str, str]] = field(default_factory=dict)

    def env_file(self, path: str, variables: Mapping[str, str]) -> dict[str, str]:
        """Return what a file of variables says, read as Compose reads it.

        Args:
            path: relative to `folder`.
            variables: what its values may ask for; anything else is empty. The same at each call.

        Raises:
            ReleaseFailed: Compose cannot read it.
        """
        if path not in self._read:
            self._read[path] = self._env_file(path, variables)
        return self._read[path]

    def _env_file(self, path: str, variables: Mapping[str, str]) -> dict[str, str]:
        service = {"image": _SERVICE, "env_file": [path.replace("$", "$$")]}
        text = to_yaml({"services": {_SERVICE: service}})
        output = self.compose.config(
            [Document(text=text, where=path)],
            name=_SERVICE,
            folder=self.base,
            variables=variables,
            cancel=self.cancel,
            warn=lambda _: None,
            unset=lambda *_: None,
        )
        given = model_of(output)["services"][_SERVICE].get("environment") or {}
        return {name: str(value).replace("$$", "$") for name, value in given.items()}

    def model(self, found: Found, env: str | None, variables: Mapping[str, str], name: str) -> Tree:
        """Return Compose's model of the old files of an environment, with every profile's services.

        Args:
            found: the files.
            env: whose; None for those that all share.
            variables: what they may ask for; anything else is empty.
            name: the Compose project's name.

        Raises:
            ReleaseFailed: Compose refuses them, in its own words.
            InputError: they have no end.
        """
        files = found.of(env)
        for file in files:
            refuse_endless(file.text, where=file.where)
        output = self.compose.config(
            [Document(text=file.text, where=file.where) for file in files],
            name=name,
            folder=self.base,
            variables=variables,
            profiles=("*",),
            cancel=self.cancel,
            warn=lambda _: None,
            unset=lambda *_: None,
        )
        return model_of(output)

    def model_if_whole(
        self, found: Found, env: str | None, variables: Mapping[str, str], name: str
    ) -> Tree | None:
        """Return the same, or None where Compose refuses them: what all share need not be whole."""
        try:
            return self.model(found, env, variables, name)
        except ReleaseFailed:
            return None
