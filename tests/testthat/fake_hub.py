"""As much of the Hugging Face hub as a download needs, on this machine: for the tests of Python and of R.

As a script, `python fake_hub.py FOLDER PORT_FILE` serves the folder as owner/tiny-bert, writes its port into the file
and ends when that file is gone.
"""

import hashlib
import http.server
import json
import os
import pathlib
import re
import sys
import threading
import time
import urllib.parse

REPO = "owner/tiny-bert"
MAIN = "0123456789" * 4
HTML = b"<html>Please log in to this network</html>"


class Hub:
    """One repository. Each commit is a folder; tests change the other fields, also while it is serving."""

    def __init__(self, root):
        self.commits = {MAIN: pathlib.Path(root)}
        self.refs = {"main": MAIN}  # branch, tag or pull request -> commit
        self.parents = {}
        self.proposals = []  # pull requests, as discussions
        self.listed = []  # names of files that are not there
        self.answers = {}  # pattern of a path -> what is answered instead: (status, body), or "half" of it
        self.asked = []  # "GET /path" of each request
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def propose(
        self,
        number,
        folder,
        author="SFconvertbot",
        title="Adding `safetensors` variant of this model",
        status="open",
        parent=MAIN,
    ):
        """A pull request whose files are those of a folder."""
        commit = f"{number:040x}"
        self.commits[commit], self.parents[commit] = pathlib.Path(folder), parent
        self.refs[f"refs/pr/{number}"] = commit
        self.proposals.append(
            {
                "title": title,
                "num": number,
                "author": {"name": author},
                "createdAt": "2023-01-01T00:00:00.000Z",
                "status": status,
                "repo": {"name": REPO, "type": "model"},
                "isPullRequest": True,
            }
        )

    def answer(self, path):
        """(status, body, headers) of a path."""
        path = urllib.parse.unquote(path.partition("?")[0])
        if path == f"/api/models/{REPO}":
            path += "/revision/main"
        for prefix, give in (
            (f"/api/models/{REPO}/revision/", self.info),
            (f"/api/models/{REPO}/commits/", self.log),
            (f"/api/models/{REPO}/discussions", self.discussions),
            (f"/{REPO}/resolve/", self.file),
        ):
            if path.startswith(prefix):
                return give(path.removeprefix(prefix))
        return 404, b"", {"X-Error-Code": "RepoNotFound"}

    def commit(self, revision):
        return self.refs.get(revision, revision if revision in self.commits else None)

    def info(self, revision):
        commit = self.commit(revision)
        if not commit:
            return 404, b"", {"X-Error-Code": "RevisionNotFound"}
        root = self.commits[commit]
        files = [_sibling(root, path) for path in sorted(root.rglob("*")) if path.is_file()]
        return _json({"id": REPO, "sha": commit, "siblings": files + [{"rfilename": name} for name in self.listed]})

    def log(self, revision):
        commit, ids = self.commit(revision), []
        while commit:
            ids.append(commit)
            commit = self.parents.get(commit)
        return _json(
            [{"id": i, "authors": [], "date": "2023-01-01T00:00:00.000Z", "title": "", "message": ""} for i in ids]
        )

    def discussions(self, _):
        return _json({"discussions": self.proposals, "count": len(self.proposals), "start": 0})

    def file(self, path):
        commit, _, name = path.partition("/")
        file = self.commits.get(commit, pathlib.Path("/none")) / name
        if not file.is_file():
            return 404, b"", {"X-Error-Code": "EntryNotFound"}
        body = file.read_bytes()
        return 200, body, {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', "X-Repo-Commit": commit}


class _Handler(http.server.BaseHTTPRequestHandler):
    hub = None

    def do_GET(self):
        self.hub.asked.append(f"{self.command} {self.path}")
        status, body, headers = self.hub.answer(self.path)
        length = len(body)
        for pattern, instead in self.hub.answers.items():
            if re.search(pattern, f"{self.command} {self.path}"):
                if instead == "half":
                    body = body[: length // 2]
                else:
                    status, body, headers = *instead, {}
                    length = len(body)
        self.send_response(status)
        for key, value in {**headers, "Content-Length": length}.items():
            self.send_header(key, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


def _sibling(root, path):
    body, name = path.read_bytes(), path.relative_to(root).as_posix()
    out = {"rfilename": name, "size": len(body), "blobId": "0" * 40}
    if name.endswith((".safetensors", ".bin")):
        out["lfs"] = {"size": len(body), "sha256": hashlib.sha256(body).hexdigest(), "pointerSize": 130}
    return out


def _json(value):
    return 200, json.dumps(value).encode(), {"Content-Type": "application/json"}


if __name__ == "__main__":
    folder, port_file = sys.argv[1:]
    hub = Hub(folder)
    with open(port_file + ".new", "w") as f:
        f.write(str(hub.server.server_port))
    os.replace(port_file + ".new", port_file)
    while os.path.exists(port_file):
        time.sleep(0.2)
