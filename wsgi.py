"""The application as a server and the flask command find it."""

import sys

from codesherpa import create_app
from config import SettingError

try:
    app = create_app()
except SettingError as error:
    sys.exit(f"codesherpa: {error}")
