"""Where an engine is reached."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class Endpoint(Struct, frozen=True):
    """Where an engine is reached, and how that is known.

    Attributes:
        url: in Docker's form: ``unix:///…``, ``tcp://…``, ``ssh://…``, ``npipe://…``.
        origin: what named it, for people.
        named: whether somebody asked for this very engine.
        certificates: folder with ca.pem, cert.pem and key.pem, for TLS.
        verify: whether the engine's certificate is checked.
        context: the docker context that says all this.
        tunnel: a socket on this machine that leads to it, where it is reached through one.
    """

    url: str
    origin: str
    named: bool = False
    certificates: Path | None = None
    verify: bool = True
    context: str | None = None
    tunnel: Path | None = None

    @property
    def dialled(self) -> str:
        """The address that clients are given."""
        return f"unix://{self.tunnel}" if self.tunnel else self.url

    @property
    def hint(self) -> str:
        """What to do where it does not answer."""
        if self.named:
            return f"start that engine, or name another: {self.origin} leads to this one"
        return "inv engine.start starts an engine where none answers"

    @property
    def socket(self) -> Path | None:
        """The socket's path, for an engine on this machine."""
        return Path(self.url.removeprefix("unix://")) if self.url.startswith("unix://") else None
