"""Serves the bare application with the settings of the real one, but for the greeting at its start."""

from runpy import run_path

globals().update(run_path("gunicorn.conf.py"))


def post_worker_init(worker):
    """The bare application has nothing to look after."""
