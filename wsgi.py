"""The application as a server and the flask command find it."""

import sys

from config import SettingError

from codesherpa import create_app

try:
    app = create_app()
except SettingError as error:
    sys.exit(f"codesherpa: {error}")
