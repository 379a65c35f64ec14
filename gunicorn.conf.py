"""How gunicorn serves the application: one eventlet worker that carries everything that waits."""

import gc
import logging
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import warnings
from typing import Any

from dotenv import dotenv_values

# eventlet is in maintenance and gunicorn 26 drops its worker, so requirements.txt holds gunicorn below 26.
# ASYNC_MODE=threading is the way out, and the whole test suite passes with it. Until then the reminders at
# every start tell nobody anything new; this is the only place that silences them.
warnings.filterwarnings("ignore", message=r"\s*(The eventlet worker|Eventlet) is deprecated")
logging.getLogger("gunicorn.error").addFilter(lambda record: "worker is DEPRECATED" not in str(record.msg))


def is_news(record: logging.LogRecord) -> bool:
    """Tell whether a line says more than the worker that could not start has said already, in one line."""
    code = record.args[1] if isinstance(record.args, tuple) and len(record.args) > 1 else 0
    cannot_start = record.msg == "Worker (pid:%s) exited with code %s." and code == 3
    return not cannot_start and record.msg not in ("Shutting down: %s", "Reason: %s")


logging.getLogger("gunicorn.error").addFilter(is_news)

environ = dotenv_values(".env") | os.environ
mode = environ.get("ASYNC_MODE") or "eventlet"
os.environ["ASYNC_MODE"] = mode

host, port = environ.get("HOST") or "127.0.0.1", environ.get("PORT") or "8000"
if not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 65536):
    sys.exit("codesherpa: PORT must be a whole number from 0 to 65535")
bind = f"{host}:{port}"
workers = 1  # Socket.IO needs one worker a port; more ports stand behind nginx.
worker_class = "eventlet" if mode == "eventlet" else "gthread"
control_socket_disable = True  # Nobody speaks to it, and it holds the exit up for two seconds.
worker_connections = 10_000  # When they are taken, the longest idle are closed; if none is idle, clients wait.
forwarded_allow_ips = ""  # TRUSTED_PROXIES alone says who is believed: gunicorn would let 127.0.0.1 rewrite the path.
threads = 1 if mode == "eventlet" else 256
graceful_timeout = 10
timeout = 60
keepalive = 75
limit_request_line = 8190  # As much as gunicorn can: a search in Hindi takes nine bytes a letter.
accesslog = None  # The application logs requests itself, with their ids.
errorlog = "-"
loglevel = "warning"


def raise_descriptor_limit(enough: int = 65_536) -> int:
    """Raise the soft limit of open file descriptors to the hard one, to `enough` at most, and return it.

    The soft limit is 1,024 on most systems, so that programs that use select() stay within its reach. None here does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = enough if hard == resource.RLIM_INFINITY else min(hard, enough)
    if soft == resource.RLIM_INFINITY:
        return enough
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)


# A quarter of the descriptors is for what the worker itself opens: connections to the database, to Redis, to models.
worker_connections = max(1, min(worker_connections, raise_descriptor_limit() * 3 // 4))


def on_starting(server: Any) -> None:
    """Refuse to start in production with settings that cannot be right, in one line and before there is a worker.

    Another process looks, since what is imported here could not be made green in the worker any more. Elsewhere
    wsgi.py says it, and the start is half a second shorter.
    """
    if server.cfg.workers > 1:
        os.environ["WEB_CONCURRENCY"] = str(server.cfg.workers)
        # Several workers of one port count together, in files: /metrics is answered by any of them.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="codesherpa-metrics-")
    if environ.get("APP_ENV") != "production":
        return
    look = [sys.executable, "-c", "import config; config.check()"]
    found = subprocess.run(look, capture_output=True, text=True)  # noqa: S603 (the line above)
    if found.returncode:
        sys.exit(found.stderr.strip())


def child_exit(server: Any, worker: Any) -> None:
    """Forget how much a worker had in hand when it ended."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        shutil.rmtree(folder, ignore_errors=True)


def post_worker_init(worker: Any) -> None:
    """Look after what an earlier worker left, be ready to leave, and greet whoever started us by hand."""
    from gunicorn import util

    from codesherpa import checkpoints, farewell, providers, unparsed
    from codesherpa.chat import sweep
    from codesherpa.integrations import runner, whatsapp
    from codesherpa.observability import metrics

    util.write_error = lambda connection, status, *_: util.write_nonblock(connection, unparsed.answer(status))
    farewell.prepare(worker.wsgi, worker)
    with worker.wsgi.app_context():
        checkpoints.request()  # An earlier worker may have died between a deletion and its checkpoint.
        sweep.start()
        runner.wake()
    whatsapp.desk.wake(worker.wsgi)
    providers.wake(worker.wsgi)
    metrics.start_beating()
    keep_what_stays()
    if os.environ.get("WELCOME"):
        print(WELCOME, flush=True)


def keep_what_stays() -> None:
    """Have the garbage collector leave alone what was made at the start, and look less often at what comes.

    It goes over a quarter of a million objects that never go, a tenth of a second in which every socket waits. What
    comes it looks at in small parts: after 20 rounds of the youngest 300 sockets had come, and all waited 0.16 s.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 5, 80)


def worker_exit(server: Any, worker: Any) -> None:
    """Let the worker finish its leave, then end at once: to take a large interpreter apart serves nobody."""
    from codesherpa.observability import tracing

    if getattr(worker, "leaves", False):
        worker.has_left.wait(graceful_timeout)
        tracing.flush()
        logging.shutdown()
        os._exit(0)


WELCOME = f"""
CodeSherpa is at http://{host}:{port}/app (Ctrl-C stops it). Or try in another terminal:

  curl http://{host}:{port}/health/ready
  .venv/bin/flask chat "review this" --file wsgi.py
"""
