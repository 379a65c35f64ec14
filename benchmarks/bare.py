"""The least that Flask can answer: what every route of the application is compared with."""

from typing import Any

from flask import Flask

app = Flask(__name__, static_folder=None)


@app.get("/bare")
def bare() -> dict[str, Any]:
    return {"success": True, "data": {"status": "ok"}, "message": "Alive."}
