"""The keys by which a project signs and verifies: how they are named, and whether they exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stagekit.errors import InputError
from stagekit.inputs.project import Project
from stagekit.protocols import Finding
from stagekit.records import Part

PRIVATE_KEY = "STAGEKIT_SIGN_KEY"
PUBLIC_KEY = "STAGEKIT_PUBLIC_KEY"

_SETTINGS = "pyproject.toml [tool.stagekit.sign]"
_PASSWORD = "COSIGN_PASSWORD"  # noqa: S105  # nosec B105  # the variable's name
_MAKE = "cosign generate-key-pair"
_NAME_PUBLIC = f'public_key = "cosign.pub" in {_SETTINGS}, or {PUBLIC_KEY}=cosign.pub'
_KEPT_ELSEWHERE = ("://", "pkcs11:")


class Keys(Part, frozen=True):
    """What signs, and what it is known by, in cosign's forms; empty where none is named.

    Attributes:
        root: where the paths of files start.
        private: ``STAGEKIT_SIGN_KEY``, else the project's ``sign.key``.
        public: ``STAGEKIT_PUBLIC_KEY``, else the project's ``sign.public_key``.
        password: whether there is one for the private key.
    """

    root: Path
    private: str
    public: str
    password: bool

    @classmethod
    def of_project(cls, project: Project, environ: Mapping[str, str]) -> Keys:
        return cls(
            root=project.root,
            private=environ.get(PRIVATE_KEY) or project.sign.key,
            public=environ.get(PUBLIC_KEY) or project.sign.public_key,
            password=_PASSWORD in environ,
        )

    @property
    def named(self) -> bool:
        """Whether there is any."""
        return bool(self.private or self.public)

    @property
    def lacks_password(self) -> bool:
        """Whether the private key is a file, and nobody gave the password that opens it."""
        return _is_file(self.private) and not self.password

    def to_sign(self) -> str:
        """Return the private key.

        Raises:
            InputError: none is named, or its file is not there.
        """
        if not self.private:
            raise InputError(
                "no key is named to sign with",
                where=f"{_SETTINGS} key",
                hint=f'{_MAKE}, and key = "cosign.key" or {PRIVATE_KEY}=cosign.key',
            )
        return self._there(self.private, f"{_MAKE}, or {PRIVATE_KEY}=… where it is kept")

    def to_verify(self, env: str) -> str:
        """Return the public key.

        Args:
            env: the environment that wants it.

        Raises:
            InputError: none is named, or its file is not there.
        """
        if not self.public:
            raise InputError(
                f"{env} wants signatures verified, and no public key is named",
                where=f"{_SETTINGS} public_key",
                hint=_NAME_PUBLIC,
            )
        return self._there(self.public, f"bring it here, or {PUBLIC_KEY}=… where it is kept")

    def findings(self, asking: Sequence[str]) -> Iterator[Finding]:
        """Yield a line of ``inv doctor`` for each key that something needs.

        Args:
            asking: the environments that want signatures verified.
        """
        if self.private:
            yield self._finding("signing key", self.private, f"{_MAKE}: nothing is signed here")
        if self.public:
            yield self._finding("public key", self.public, _NAME_PUBLIC, needed=bool(asking))
        elif asking:
            where = f"none is named, and wanted by {', '.join(asking)}"
            yield Finding(
                name="public key", found=False, needed=True, where=where, hint=_NAME_PUBLIC
            )

    def _finding(self, name: str, key: str, hint: str, *, needed: bool = False) -> Finding:
        found = self._is_there(key)
        return Finding(
            name=name, found=found, needed=needed, where=key, hint=None if found else hint
        )

    def _there(self, key: str, hint: str) -> str:
        if not self._is_there(key):
            raise InputError("there is no such key", where=key, hint=hint)
        return key

    def _is_there(self, key: str) -> bool:
        return not _is_file(key) or (self.root / key).is_file()


def _is_file(key: str) -> bool:
    return not any(mark in key for mark in _KEPT_ELSEWHERE)
