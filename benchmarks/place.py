"""Where the benchmarks work: a folder that goes with them, and an environment of their own."""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from compileall import compile_dir
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from benchmarks.command import Command
from benchmarks.measure import Contestant
from benchmarks.report import Role
from benchmarks.workshop import Workshop, workshop
from stagekit.cancel import Cancel
from stagekit.engine.programs import find_plugin
from stagekit.errors import EngineError
from stagekit.events import Emit
from stagekit.testing.project import clean_environment

INV = (sys.executable, "-m", "invoke")
NOT_FOUND = "not found here"

_Made = TypeVar("_Made")


class Place:
    """A folder, an environment, and an engine once one is asked for.

    Args:
        folder: everything is below it.
        install: consent to install the distribution's engine where there is none.
        emit: told of what takes time.
        cancel: ends everything.
        left: what is to be undone.
    """

    def __init__(
        self, folder: Path, *, install: bool, emit: Emit, cancel: Cancel, left: ExitStack
    ) -> None:
        self.folder = folder
        self.token = secrets.token_hex(3)
        self.emit = emit
        self.cancel = cancel
        self.left = left
        self._install = install
        self._made: dict[str, object] = {}
        self.environ = {
            **clean_environment(),
            "STAGEKIT_HOME": str(folder / "home"),
            "DOCKER_CONFIG": str(folder / "docker"),
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        }

    @property
    def workshop(self) -> Workshop:
        """An engine and a registry, and the environment that leads to them.

        Raises:
            EngineError: there is none, and none can be started.
        """
        if isinstance(self._opened, EngineError):
            raise self._opened
        return self._opened

    @property
    def in_use(self) -> Workshop | None:
        """The engine and the registry, if anything asked for them."""
        found = vars(self).get("_opened")
        return found if isinstance(found, Workshop) else None

    @cached_property
    def _opened(self) -> Workshop | EngineError:
        """The workshop, or why there is none: that is not tried for each measure again."""
        try:
            return self.left.enter_context(
                workshop(
                    self.folder,
                    self.environ,
                    token=self.token,
                    install=self._install,
                    emit=self.emit,
                    cancel=self.cancel,
                )
            )
        except EngineError as error:
            return error

    def once(self, name: str, make: Callable[[Path], _Made]) -> _Made:
        """Return what ``make`` makes in a folder of that name, made on first use."""
        if name not in self._made:
            root = self.folder / name
            root.mkdir()
            self._made[name] = make(root)
        return self._made[name]  # type: ignore[return-value]  # one name, one kind

    def program(self, name: str) -> str:
        """Return the path of a program, or nothing where it is not there."""
        return str(find_plugin(name, self.environ) or "")

    def command(
        self,
        folder: Path,
        *argvs: Sequence[str],
        environ: Mapping[str, str] | None = None,
        before: Callable[[], object] = lambda: None,
    ) -> Command:
        """Return what runs each argv in turn.

        Args:
            folder: where.
            argvs: what.
            environ: instead of the place's own.
            before: done each time before.
        """
        return Command(
            argvs, folder, self.environ if environ is None else environ, self.cancel, before
        )

    def peer(
        self, who: str, command: Command, *, program: str = "", role: Role = "peer"
    ) -> Contestant:
        """Return one that takes part with the seconds of ``command``, or that is not here.

        Args:
            who: its name in the table.
            command: what it does.
            program: what it needs; nothing for what is there anyway.
            role: what it is beside stagekit.
        """
        here = not program or bool(self.program(program))
        return Contestant(who, command.seconds if here else NOT_FOUND, role)


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files, by their paths below ``folder``."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


@contextmanager
def place(*, install: bool, emit: Emit, cancel: Cancel) -> Iterator[Place]:
    """Make a place, and leave nothing of it behind."""
    folder = Path(tempfile.mkdtemp(prefix="stagekit-bench-"))
    try:
        compile_stagekit()
        with ExitStack() as left:
            yield Place(folder, install=install, emit=emit, cancel=cancel, left=left)
    finally:
        shutil.rmtree(folder)


def compile_stagekit() -> None:
    """Have stagekit's bytecode, as an installed one has: Invoke, which imports it from a checkout,
    writes none."""
    compile_dir(Path(__file__).parents[1] / "stagekit", quiet=1)
