"""An engine's socket, reached another way: by a second socket, or by TCP with TLS.

Run as a program of its own, it passes bytes on until it is ended:

    relay.py ENGINE_SOCKET unix PATH
    relay.py ENGINE_SOCKET tls PORT FOLDER    (ca.pem, server.pem, server-key.pem)
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LIMIT = 10
_AT_ONCE = 65536


@contextmanager
def relay(socket: Path, *arguments: str) -> Iterator[None]:
    """Run the relay in front of an engine's socket, and end it."""
    with subprocess.Popen(
        [sys.executable, __file__, str(socket), *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.kill()
            process.wait(_LIMIT)


async def _serve(socket: str, kind: str, where: str, folder: str = "") -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_engine, to_engine = await asyncio.open_unix_connection(socket)
        await asyncio.gather(_copy(reader, to_engine), _copy(from_engine, writer))

    if kind == "unix":
        server = await asyncio.start_unix_server(connected, where)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server-key.pem")
        context.load_verify_locations(f"{folder}/ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        server = await asyncio.start_server(connected, "127.0.0.1", int(where), ssl=context)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(_AT_ONCE):
            target.write(data)
            await target.drain()
    except OSError:  # one side went away: the other learns of it by the close
        pass
    finally:
        target.close()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
