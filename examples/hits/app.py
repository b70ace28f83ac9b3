"""The classic: a page that counts its hits in Redis.

From the environment: HOST_REDIS and PORT_REDIS (where Redis is), HOST_RUN (the address to listen
on) and DEBUG (true logs each request, and shows on the page).
"""

import logging
import os
import signal
import sys

from flask import Flask
from redis import Redis
from waitress import serve

DEBUG = os.environ.get("DEBUG", "false").lower() == "true"

app = Flask(__name__)
counter = Redis(
    host=os.environ["HOST_REDIS"],
    port=int(os.environ.get("PORT_REDIS", "6379")),
    socket_timeout=5,
)


@app.get("/")
def hits() -> str:
    number = counter.incr("hits")
    app.logger.debug("hit %d", number)
    return (
        "<!doctype html><title>hits</title>"
        f"<h1>{number} hits</h1><p>debug: {'on' if DEBUG else 'off'}</p>\n"
    )


@app.get("/health")
def health() -> str:
    counter.ping()
    return "ok\n"


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG if DEBUG else logging.INFO)
    # The first process of a container ignores SIGTERM unless it says otherwise.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    serve(app, host=os.environ.get("HOST_RUN", "127.0.0.1"), port=5000)
