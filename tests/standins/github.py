"""A stand-in for GitHub's REST API: repositories, pull requests, comments, checks and hooks on loopback.

Payloads have the shape of GitHub's documentation (https://docs.github.com/en/rest, version 2022-11-28), as far
as a client can notice: pages with Link headers, rate limits in every answer, errors with a message. Run it alone
with `python -m tests.standins.github --port 0` (it prints its port), or in a test with `running()`.

What it refuses, GitHub refuses too: a line comment beside the diff's new side, a comment too long, an edit of
somebody else's comment, a check by anybody but an app.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN, APP_TOKEN, JWT = "ghp_standin", "ghs_standin", "eyJ"
US, APP_ID, SLUG, INSTALLATION = "sherpa-machine", 4242, "codesherpa", 777
HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")


def added(*lines: str, first: int = 1) -> str:
    """Return the patch of a new file, or of lines that are added to one."""
    rows = "\n".join(f"+{line}" for line in lines)
    return f"@@ -{max(0, first - 1)},0 +{first},{len(lines)} @@\n{rows}"


@dataclass
class Pull:
    """A pull request's state; change it as a push or a maintainer would."""

    number: int
    author: str = "octocat"
    head: str = "a" * 40
    files: dict[str, str | None] = field(default_factory=lambda: {"app.py": added("print(1)")})
    title: str = "Do something"
    draft: bool = False
    state: str = "open"
    is_bot: bool = False
    fork: bool = False
    labels: list[str] = field(default_factory=list)
    base: str = "main"
    statuses: dict[str, str] = field(default_factory=dict)
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    unlisted: int = 0

    def push(self, head: str, files: dict[str, str | None] | None = None) -> None:
        self.head, self.updated_at = head, max(self.updated_at, datetime.now(UTC).replace(microsecond=0))
        if files is not None:
            self.files = files


@dataclass
class Repo:
    """A repository's state."""

    id: int
    name: str
    private: bool = False
    pulls: dict[int, Pull] = field(default_factory=dict)
    contents: dict[tuple[str, str], str] = field(default_factory=dict)  # (branch, path) -> text
    permissions: dict[str, str] = field(default_factory=dict)
    hooks: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Fault:
    """An answer instead of the right one, `times` times, to requests that fit."""

    status: int
    message: str = "Server Error"
    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1
    after: bool = False  # Do what was asked, and then fail to say so.


class World:
    """All that this GitHub knows, and what it was asked."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.lock = threading.RLock()
        self.repos: dict[str, Repo] = {}
        self.comments: dict[int, dict[str, Any]] = {}
        self.line_comments: dict[int, dict[str, Any]] = {}
        self.checks: dict[int, dict[str, Any]] = {}
        self.reactions: set[tuple[int, str, str]] = set()
        self.deliveries: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, Any]] = []
        self.edits: Counter[int] = Counter()
        self.ids = iter(range(1_000, 10**9))
        self.may_check = True
        self.private_key = ""
        self.before: Callable[[str, str], None] = lambda method, path: None
        self.after: Callable[[str, str], None] = lambda method, path: None

    def repo(self, name: str = "acme/site", **more: Any) -> Repo:
        return self.repos.setdefault(name.lower(), Repo(len(self.repos) + 1, name, **more))

    def pull(self, number: int = 1, repository: str = "acme/site", **more: Any) -> Pull:
        return self.repo(repository).pulls.setdefault(number, Pull(number, **more))

    def comment(self, login: str, body: str, number: int = 1, repository: str = "acme/site") -> dict[str, Any]:
        """Have somebody comment on a pull request."""
        return self.add_comment("http://127.0.0.1", self.repo(repository), number, login, body)

    def add_comment(self, url: str, repo: Repo, number: int, login: str, body: str) -> dict[str, Any]:
        id = next(self.ids)
        self.comments[id] = made = {
            "id": id,
            "url": f"{url}/repos/{repo.name}/issues/comments/{id}",
            "issue_url": f"{url}/repos/{repo.name}/issues/{number}",
            "html_url": f"https://github.com/{repo.name}/pull/{number}#issuecomment-{id}",
            "body": body,
            "user": user(login),
            "created_at": stamp(),
            "updated_at": stamp(),
            "author_association": "NONE",
        }
        return made

    def said(self, number: int = 1, repository: str = "acme/site") -> list[str]:
        """The bodies of our comments on a pull request."""
        where = f"/repos/{repository}/issues/{number}".lower()
        ours = (US, f"{SLUG}[bot]")
        found = [one for one in self.comments.values() if one["issue_url"].lower().endswith(where)]
        return [one["body"] for one in found if one["user"]["login"] in ours]

    def on_lines(self, number: int = 1, repository: str = "acme/site") -> list[dict[str, Any]]:
        where = f"/repos/{repository}/pulls/{number}".lower()
        return [one for one in self.line_comments.values() if one["pull_request_url"].lower().endswith(where)]

    def asked(self, method: str, path: str = "") -> list[tuple[str, str, Any]]:
        return [one for one in self.requests if one[0] == method and re.search(path, one[1])]


def stamp(moment: datetime | None = None) -> str:
    return f"{(moment or datetime.now(UTC)):%Y-%m-%dT%H:%M:%SZ}"


def user(login: str, is_bot: bool = False) -> dict[str, Any]:
    kind = "Bot" if is_bot or login.endswith("[bot]") else "User"
    return {"login": login, "id": sum(map(ord, login)), "type": kind, "url": f"https://api.github.com/users/{login}"}


def repo_payload(repo: Repo, url: str) -> dict[str, Any]:
    owner, name = repo.name.split("/")
    return {
        "id": repo.id,
        "name": name,
        "full_name": repo.name,
        "private": repo.private,
        "owner": user(owner),
        "url": f"{url}/repos/{repo.name}",
        "html_url": f"https://github.com/{repo.name}",
        "default_branch": "main",
        "fork": False,
    }


def pull_payload(repo: Repo, pull: Pull, url: str) -> dict[str, Any]:
    path = f"{url}/repos/{repo.name}"
    told = repo_payload(repo, url)
    head_repo = told | {"id": repo.id + 10_000, "full_name": f"{pull.author}/fork", "fork": True} if pull.fork else told
    return {
        "id": pull.number * 10,
        "number": pull.number,
        "url": f"{path}/pulls/{pull.number}",
        "issue_url": f"{path}/issues/{pull.number}",
        "comments_url": f"{path}/issues/{pull.number}/comments",
        "html_url": f"https://github.com/{repo.name}/pull/{pull.number}",
        "state": pull.state,
        "draft": pull.draft,
        "title": pull.title,
        "body": None,
        "user": user(pull.author, pull.is_bot),
        "labels": [{"id": 1, "name": label, "color": "fff"} for label in pull.labels],
        "head": {"ref": "topic", "sha": pull.head, "label": "acme:topic", "user": user(pull.author), "repo": head_repo},
        "base": {"ref": pull.base, "sha": "b" * 40, "label": "acme:main", "user": user("acme"), "repo": told},
        "changed_files": len(pull.files) + pull.unlisted,
        "created_at": "2026-11-23T00:00:00Z",
        "updated_at": stamp(pull.updated_at),
    }


def pull_request(repo: Repo, pull: Pull, action: str = "opened", **more: Any) -> dict[str, Any]:
    """The payload of the event `pull_request`."""
    url = "https://api.github.com"
    told = {"action": action, "number": pull.number, "pull_request": pull_payload(repo, pull, url)}
    return told | {"repository": repo_payload(repo, url), "sender": user(pull.author)} | more


def issue_comment(repo: Repo, number: int, comment: dict[str, Any], action: str = "created") -> dict[str, Any]:
    """The payload of the event `issue_comment`, on a pull request."""
    url = "https://api.github.com"
    issue = {"number": number, "state": "open", "pull_request": {"url": f"{url}/repos/{repo.name}/pulls/{number}"}}
    told = {"action": action, "issue": issue, "comment": comment, "repository": repo_payload(repo, url)}
    return told | {"sender": comment["user"]}


class Answer(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        self.status, self.message, self.headers = status, message, headers


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    world: World
    disable_nagle_algorithm = True

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.serve()

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        parts = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        world = self.world
        with world.lock:
            world.requests.append((self.command, parts.path, body))
            fault = self.fault(parts.path)
            try:
                world.before(self.command, parts.path)
                if fault and not fault.after:
                    raise Answer(fault.status, fault.message, **fault.headers)
                status, answer = self.route(self.command, parts.path, body)
                world.after(self.command, parts.path)
                if fault:
                    raise Answer(fault.status, fault.message, **fault.headers)
                headers: dict[str, str] = {}
                if isinstance(answer, Page):
                    answer, headers = answer.cut(self)
            except Answer as refusal:
                status, headers = refusal.status, refusal.headers
                answer = {"message": refusal.message, "documentation_url": "https://docs.github.com/rest"}
        self.send(status, answer, headers)

    def fault(self, path: str) -> Fault | None:
        for fault in self.world.faults:
            if fault.times > 0 and fault.method in ("", self.command) and re.search(fault.path, path):
                fault.times -= 1
                return fault
        return None

    def send(self, status: int, answer: Any, headers: dict[str, str]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        limits = {
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": "4999",
            "X-RateLimit-Reset": str(int(time.time()) + 3600),
        }
        for name, value in ({"Content-Type": "application/json; charset=utf-8"} | limits | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def me(self) -> str:
        """Who calls, by its token."""
        token = self.headers.get("Authorization", "").split(" ")[-1]
        if token == TOKEN:
            return US
        if token == APP_TOKEN:
            return f"{SLUG}[bot]"
        if token.startswith(JWT):
            return "app"
        raise Answer(401, "Bad credentials")

    def route(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        me = self.me()
        for verb, pattern, work in ROUTES:
            if verb == method and (found := re.fullmatch(pattern, path)):
                return work(self, me, body, **found.groupdict())
        raise Answer(404, "Not Found")

    def repo(self, repo: str) -> Repo:
        if repo.lower() not in self.world.repos:
            raise Answer(404, "Not Found")
        return self.world.repos[repo.lower()]

    def pull(self, repo: str, number: str) -> tuple[Repo, Pull]:
        found = self.repo(repo)
        if int(number) not in found.pulls:
            raise Answer(404, "Not Found")
        return found, found.pulls[int(number)]


class Page:
    """A list that is answered page by page; `under` names it inside an object."""

    def __init__(self, items: list[Any], under: str = "") -> None:
        self.items, self.under = items, under

    def cut(self, handler: Handler) -> tuple[Any, dict[str, str]]:
        size, page = int(handler.query.get("per_page", 30)), int(handler.query.get("page", 1))
        shown = self.items[(page - 1) * size : page * size]
        path = urlsplit(handler.path).path
        more = {"Link": f'<{handler.url}{path}?per_page={size}&page={page + 1}>; rel="next"'}
        headers = more if page * size < len(self.items) else {}
        return ({"total_count": len(self.items), self.under: shown} if self.under else shown), headers


def get_user(handler: Handler, me: str, body: Any) -> tuple[int, Any]:
    if me != US:
        raise Answer(403, "Resource not accessible by integration")
    return 200, user(me)


def get_app(handler: Handler, me: str, body: Any) -> tuple[int, Any]:
    if me != "app":
        raise Answer(401, "A JSON web token could not be decoded")
    return 200, {"id": APP_ID, "slug": SLUG, "name": "CodeSherpa", "owner": user("acme")}


def post_token(handler: Handler, me: str, body: Any, id: str) -> tuple[int, Any]:
    if me != "app" or int(id) != INSTALLATION:
        raise Answer(404, "Not Found")
    ends = stamp(datetime.now(UTC) + timedelta(hours=1))
    return 201, {"token": APP_TOKEN, "expires_at": ends, "permissions": {}, "repository_selection": "all"}


def get_pull(handler: Handler, me: str, body: Any, repo: str, number: str) -> tuple[int, Any]:
    return 200, pull_payload(*handler.pull(repo, number), handler.url)


def get_files(handler: Handler, me: str, body: Any, repo: str, number: str) -> tuple[int, Any]:
    _, pull = handler.pull(repo, number)
    found = []
    for name, patch in pull.files.items():
        rows = (patch or "").split("\n")
        plus, minus = sum(row.startswith("+") for row in rows), sum(row.startswith("-") for row in rows)
        told = {"sha": "c" * 40, "filename": name, "status": pull.statuses.get(name, "modified"), "additions": plus}
        told |= {"deletions": minus, "changes": plus + minus, "contents_url": "", "blob_url": "", "raw_url": ""}
        found.append(told | ({"patch": patch} if patch is not None else {}))
    return 200, Page(found)


def get_contents(handler: Handler, me: str, body: Any, repo: str, path: str) -> tuple[int, Any]:
    text = handler.repo(repo).contents.get((handler.query.get("ref", "main"), path))
    if text is None:
        raise Answer(404, "Not Found")
    raw = text.encode()
    told = {"type": "file", "encoding": "base64", "size": len(raw), "name": path, "path": path, "sha": "d" * 40}
    return 200, told | {"content": base64.b64encode(raw).decode(), "url": f"{handler.url}/repos/{repo}/contents/{path}"}


def get_permission(handler: Handler, me: str, body: Any, repo: str, login: str) -> tuple[int, Any]:
    found = handler.repo(repo).permissions.get(login, "read" if not handler.repo(repo).private else "none")
    return 200, {"permission": found, "role_name": found, "user": user(login)}


def get_comments(handler: Handler, me: str, body: Any, repo: str, number: str) -> tuple[int, Any]:
    where = f"/repos/{repo}/issues/{number}".lower()
    return 200, Page([one for one in handler.world.comments.values() if one["issue_url"].lower().endswith(where)])


def post_comment(handler: Handler, me: str, body: Any, repo: str, number: str) -> tuple[int, Any]:
    check_body(body["body"])
    return 201, handler.world.add_comment(handler.url, handler.repo(repo), int(number), me, body["body"])


def patch_comment(handler: Handler, me: str, body: Any, repo: str, id: str) -> tuple[int, Any]:
    return 200, edit(handler, me, handler.world.comments, int(id), body["body"])


def patch_line_comment(handler: Handler, me: str, body: Any, repo: str, id: str) -> tuple[int, Any]:
    return 200, edit(handler, me, handler.world.line_comments, int(id), body["body"])


def edit(handler: Handler, me: str, there: dict[int, dict[str, Any]], id: int, body: str) -> dict[str, Any]:
    if id not in there:
        raise Answer(404, "Not Found")
    if there[id]["user"]["login"] != me:
        raise Answer(403, "Resource not accessible by personal access token")
    check_body(body)
    handler.world.edits[id] += 1
    there[id] |= {"body": body, "updated_at": stamp()}
    return there[id]


def check_body(body: str) -> None:
    if not body or len(body) > 65_536:
        raise Answer(422, "Validation Failed")


def post_reaction(handler: Handler, me: str, body: Any, repo: str, id: str) -> tuple[int, Any]:
    if int(id) not in handler.world.comments:
        raise Answer(404, "Not Found")
    handler.world.reactions.add((int(id), me, body["content"]))
    return 201, {"id": 1, "content": body["content"], "user": user(me)}


def get_line_comments(handler: Handler, me: str, body: Any, repo: str, number: str) -> tuple[int, Any]:
    return 200, Page(handler.world.on_lines(int(number), repo))


def post_review(handler: Handler, me: str, body: Any, repo: str, number: str) -> tuple[int, Any]:
    """All comments of a review are made, or none."""
    found, pull = handler.pull(repo, number)
    if body["event"] != "COMMENT" or body["commit_id"] != pull.head:
        raise Answer(422, "Unprocessable Entity")
    for one in body["comments"]:
        check_body(one["body"])
        if one["side"] != "RIGHT" or one["line"] not in shown(pull.files.get(one["path"]) or ""):
            raise Answer(422, "Unprocessable Entity: Line could not be resolved")
    path = f"{handler.url}/repos/{found.name}"
    for one in body["comments"]:
        id = next(handler.world.ids)
        told = {"id": id, "url": f"{path}/pulls/comments/{id}", "pull_request_url": f"{path}/pulls/{number}"}
        told |= {"commit_id": pull.head, "original_commit_id": pull.head, "user": user(me), "created_at": stamp()}
        handler.world.line_comments[id] = one | told | {"updated_at": stamp(), "original_line": one["line"]}
    return 200, {"id": next(handler.world.ids), "state": "COMMENTED", "user": user(me), "body": body["body"]}


def shown(patch: str) -> set[int]:
    """The lines of the new side that a patch shows."""
    found: set[int] = set()
    number = left = 0
    for row in patch.split("\n"):
        if left <= 0 and (start := HUNK.match(row)):
            number, left = int(start[1]), int(start[2] or 1)
        elif not row.startswith(("-", "\\")):
            found.add(number)
            number, left = number + 1, left - 1
    return found


def get_checks(handler: Handler, me: str, body: Any, repo: str, sha: str) -> tuple[int, Any]:
    handler.repo(repo)
    named = handler.query.get("check_name")
    found = [one for one in handler.world.checks.values() if one["head_sha"] == sha and named in (None, one["name"])]
    return 200, Page(found, "check_runs")


def post_check(handler: Handler, me: str, body: Any, repo: str) -> tuple[int, Any]:
    if not me.endswith("[bot]") or not handler.world.may_check:
        raise Answer(403, "Resource not accessible by integration")
    id = next(handler.world.ids)
    handler.world.checks[id] = {"id": id, "repository": handler.repo(repo).name, **body}
    return 201, handler.world.checks[id]


def patch_check(handler: Handler, me: str, body: Any, repo: str, id: str) -> tuple[int, Any]:
    handler.world.checks[int(id)] |= body
    return 200, handler.world.checks[int(id)]


def get_hooks(handler: Handler, me: str, body: Any, repo: str) -> tuple[int, Any]:
    return 200, Page(handler.repo(repo).hooks)


def get_deliveries(handler: Handler, me: str, body: Any, repo: str = "", hook: str = "") -> tuple[int, Any]:
    newest = sorted(handler.world.deliveries, key=lambda one: one["delivered_at"], reverse=True)
    return 200, Page([{name: value for name, value in one.items() if name != "request"} for one in newest])


def get_delivery(handler: Handler, me: str, body: Any, id: str, repo: str = "", hook: str = "") -> tuple[int, Any]:
    return 200, next(one for one in handler.world.deliveries if one["id"] == int(id))


R = r"/repos/(?P<repo>[^/]+/[^/]+)"
ROUTES: list[tuple[str, str, Callable[..., tuple[int, Any]]]] = [
    ("GET", "/user", get_user),
    ("GET", "/app", get_app),
    ("POST", r"/app/installations/(?P<id>\d+)/access_tokens", post_token),
    ("GET", "/app/hook/deliveries", get_deliveries),
    ("GET", r"/app/hook/deliveries/(?P<id>\d+)", get_delivery),
    ("GET", rf"{R}/hooks", get_hooks),
    ("GET", rf"{R}/hooks/(?P<hook>\d+)/deliveries", get_deliveries),
    ("GET", rf"{R}/hooks/(?P<hook>\d+)/deliveries/(?P<id>\d+)", get_delivery),
    ("GET", rf"{R}/pulls/(?P<number>\d+)", get_pull),
    ("GET", rf"{R}/pulls/(?P<number>\d+)/files", get_files),
    ("GET", rf"{R}/pulls/(?P<number>\d+)/comments", get_line_comments),
    ("POST", rf"{R}/pulls/(?P<number>\d+)/reviews", post_review),
    ("PATCH", rf"{R}/pulls/comments/(?P<id>\d+)", patch_line_comment),
    ("GET", rf"{R}/contents/(?P<path>.+)", get_contents),
    ("GET", rf"{R}/collaborators/(?P<login>[^/]+)/permission", get_permission),
    ("GET", rf"{R}/issues/(?P<number>\d+)/comments", get_comments),
    ("POST", rf"{R}/issues/(?P<number>\d+)/comments", post_comment),
    ("PATCH", rf"{R}/issues/comments/(?P<id>\d+)", patch_comment),
    ("POST", rf"{R}/issues/comments/(?P<id>\d+)/reactions", post_reaction),
    ("GET", rf"{R}/commits/(?P<sha>[0-9a-f]+)/check-runs", get_checks),
    ("POST", rf"{R}/check-runs", post_check),
    ("PATCH", rf"{R}/check-runs/(?P<id>\d+)", patch_check),
]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a worker that was killed before it read its answer."""


@contextmanager
def running(world: World, port: int = 0) -> Iterator[str]:
    """Serve a world on loopback, and give its address."""
    server = Server(("127.0.0.1", port), type("WorldHandler", (Handler,), {"world": world}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    world = World()
    world.pull(files={"app.py": added("def add(item, items=[]):", "    items.append(item)", "    return eval(item)")})
    with running(world, parser.parse_args().port) as address:
        print(address.rsplit(":", 1)[1], flush=True)  # noqa: T201
        threading.Event().wait()
