"""The application for the drill of deliveries: it waits for nobody longer than the drill needs."""

from datetime import timedelta

from codesherpa.integrations import backoff, jobs, runner
from codesherpa.integrations.github import client, events, reviewing

client.WRITE_PAUSE = 0.0
events.SETTLE = 0.2
reviewing.LAG = 0.5
jobs.LEASE = timedelta(seconds=8)
runner.BEAT = 2.0
backoff.FIRST = 0.5

from wsgi import app  # noqa: E402, F401
