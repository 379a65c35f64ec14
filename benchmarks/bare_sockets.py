"""The least that can stream a model's answer: python-socketio and boto3, a token an emit, nothing stored or checked."""

from __future__ import annotations

import os
from typing import Any

import boto3
import socketio
from botocore.config import Config
from flask import Flask

server = socketio.Server(async_mode="eventlet", async_handlers=False)
app = Flask(__name__, static_folder=None)
app.wsgi_app = socketio.WSGIApp(server, app.wsgi_app)  # type: ignore[method-assign]
client = boto3.client("bedrock-runtime", region_name="us-east-1", config=Config(max_pool_connections=1000))


@server.on("connect", namespace="/ws")
def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
    """Let everybody in."""


@server.on("message", namespace="/ws")
def message(sid: str, payload: dict[str, Any]) -> None:
    """Have a message answered."""
    server.start_background_task(answer, sid, payload["message"])


def answer(sid: str, text: str) -> None:
    """Emit each token as it comes."""
    turns = [{"role": "user", "content": [{"text": text}]}]
    told = client.converse_stream(modelId=os.environ["BEDROCK_MODEL_ID"], messages=turns)
    for event in told["stream"]:
        if "contentBlockDelta" in event:
            content = event["contentBlockDelta"]["delta"]["text"]
            server.emit("delta", {"content": content}, to=sid, namespace="/ws")
    server.emit("response", {}, to=sid, namespace="/ws")
