"""The program cosign, which signs and verifies images in a registry, and files.

https://docs.sigstore.dev/cosign/; versions 2 and 3. That nothing is written to the public
transparency log, the older ones are told by ``--tlog-upload``, which the newer ones do not list any
more: they take a signing configuration without one. With an empty root of trust these do not ask
sigstore's servers for theirs either, which a key has no use for: where packets to the outside are
swallowed, that takes ten seconds an image.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from stagekit import process
from stagekit.cancel import Cancel
from stagekit.engine.programs import find_program
from stagekit.errors import InputError
from stagekit.inputs.extending import SignSettings
from stagekit.process import Result

INSTALL = "https://docs.sigstore.dev/cosign/system_config/installation/, or apt-get install cosign"

_VERSION = re.compile(r"GitVersion:\s*v?(\S+)")
_LISTED = re.compile(r"^\s+--tlog-upload\b", re.MULTILINE)
_ASKING_LIMIT = 20.0

_NO_LOG = '{"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"}\n'
_NO_ROOT = '{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}\n'


class Cosign:
    """Cosign as a project uses it.

    Args:
        program: its path.
        settings: ``[tool.stagekit.sign]``.
        root: the project's folder, which keys in files are looked for from.
        environ: the whole environment of the program; has ``COSIGN_PASSWORD``.
        cancel: ends what it is at.
    """

    def __init__(
        self,
        program: Path,
        settings: SignSettings,
        root: Path,
        environ: Mapping[str, str],
        cancel: Cancel,
    ) -> None:
        self.program = program
        self._settings = settings
        self._root = root
        self._environ = environ
        self._cancel = cancel

    @cached_property
    def version(self) -> str:
        """Its version, such as ``2.5.0``, or ``devel``; ``-`` where it does not say."""
        found = _VERSION.search(self._run(["version"], limit=_ASKING_LIMIT).stdout)
        return found[1] if found else "-"

    def sign_image(self, key: str, image: str, notes: Mapping[str, str]) -> Result:
        """Sign an image (``repository@sha256:…``) in its registry, with annotations."""
        said = [
            word for name, text in notes.items() for word in ("--annotations", f"{name}={text}")
        ]
        with self._unlogged() as options:
            return self._run(["sign", "--yes", "--key", key, *options, *said, image])

    def sign_file(self, key: str, file: Path, bundle: Path) -> Result:
        """Sign a file; the signature is written to ``bundle``."""
        with self._unlogged() as options:
            return self._run(
                ["sign-blob", "--yes", "--key", key, *options, "--bundle", str(bundle), str(file)]
            )

    def verify_image(self, key: str, image: str) -> Result:
        """Ask an image's registry for a signature by a public key."""
        return self._run(["verify", "--key", key, *self._unasked(), image])

    def verify_file(self, key: str, file: Path, bundle: Path) -> Result:
        """Hold a file against its signature."""
        return self._run(
            ["verify-blob", "--key", key, *self._unasked(), "--bundle", str(bundle), str(file)]
        )

    def _unasked(self) -> list[str]:
        return [] if self._settings.transparency_log else ["--insecure-ignore-tlog=true"]

    @contextmanager
    def _unlogged(self) -> Iterator[list[str]]:
        if self._settings.transparency_log:
            yield []
        elif _LISTED.search(self._run(["sign", "--help"], limit=_ASKING_LIMIT).stdout):
            yield ["--tlog-upload=false"]
        else:
            with tempfile.TemporaryDirectory(prefix="stagekit-") as folder:
                config, root = Path(folder) / "config.json", Path(folder) / "root.json"
                config.write_text(_NO_LOG)
                root.write_text(_NO_ROOT)
                yield ["--signing-config", str(config), "--trusted-root", str(root)]

    def _run(self, arguments: Sequence[str], limit: float | None = None) -> Result:
        return process.run(
            (str(self.program), *arguments),
            env=self._environ,
            limit=limit or self._settings.timeout,
            cancel=self._cancel,
            cwd=self._root,
            mask=tuple(filter(None, (self._environ.get("COSIGN_PASSWORD"),))),
        )


def find_cosign(
    settings: SignSettings, root: Path, environ: Mapping[str, str], cancel: Cancel
) -> Cosign:
    """Return this machine's cosign.

    Raises:
        InputError: there is none.
    """
    program = find_program("cosign", environ)
    if program is None:
        raise InputError("cosign is not installed", hint=INSTALL)
    return Cosign(program, settings, root, environ, cancel)
