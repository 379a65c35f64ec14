"""The application as a server and the flask command find it."""

import sys

from codesherpa import create_app
from config import SettingError

try:
    app = create_app()
except SettingError as error:
    print(f"codesherpa: {error}", file=sys.stderr)  # noqa: T201 (nothing else runs yet that could say it)
    sys.exit(3)  # What gunicorn takes for a worker that will never start; after another it tries for ever.
