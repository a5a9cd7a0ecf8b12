"""Serve the page, and beside it a service on a data folder of its own that lets the page in.

Knows the service's command line and what it prints; asks it only as anyone may, over HTTP.
Standard library only.
"""

import argparse
import json
import signal
import subprocess
import sys
import urllib.request
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
FILES: Final = {
    "/": (HERE / "index.html", "text/html; charset=utf-8"),
    "/style.css": (HERE / "style.css", "text/css; charset=utf-8"),
    "/page.js": (HERE / "build" / "page.js", "text/javascript; charset=utf-8"),
}
SAMPLES: Final = ("welcomeMail", "copyDepartment", "logSignIn")
_LISTENS: Final = "JSON and gRPC-Web  http://"


class Page(BaseHTTPRequestHandler):
    """The page's files, and service.json: where the service is."""

    service: bytes = b"{}"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/service.json":
            self._answer(self.service, "application/json")
        elif path in FILES:
            file, content_type = FILES[path]
            self._answer(file.read_bytes(), content_type)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _answer(self, body: bytes, content_type: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Leave the terminal to the service's log."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve the page and a service for it.")
    parser.add_argument("--port", type=int, default=5173, help="of the page; 0 takes a free one")
    parser.add_argument(
        "--data-dir", type=Path, default=ROOT / "build" / "example-browser", help="of the service"
    )
    return parser.parse_args()


def started(data_dir: Path, origin: str) -> subprocess.Popen[str]:
    """The service, for pages of the origin; it logs to this process's standard error."""
    free = "127.0.0.1:0"
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "server", "serve", "--listen", free, "--grpc-listen", free),
            *("--data-dir", str(data_dir), "--cors-origins", origin),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


def add_samples(service: str, token: str) -> None:
    """Make the actions that the page first shows, unless there are any."""

    def ask(path: str, body: object) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        url = f"{service}/management/v1/actions{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            answered: dict[str, object] = json.load(answer)
            return answered

    if "result" not in ask("/_search", {"query": {"limit": 1}}):
        for name in SAMPLES:
            ask("", {"name": name, "script": f"function {name}(ctx, api) {{}}"})


def main() -> int:
    options = arguments()
    data_dir = options.data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        pages = ThreadingHTTPServer(("127.0.0.1", options.port), Page)
    except (OSError, OverflowError) as error:
        print(f"error: cannot listen on 127.0.0.1:{options.port}: {error}", file=sys.stderr)
        return 1
    with pages:
        origin = f"http://127.0.0.1:{pages.server_port}"
        service = started(data_dir, origin)
        try:
            line = next(iter(service.stdout or ()), "")
            if not line.startswith(_LISTENS):
                return service.wait() or 1
            address = f"http://{line.removeprefix(_LISTENS).strip()}"
            token_file = data_dir / "owner.token"
            add_samples(address, token_file.read_text(encoding="ascii").strip())
            about = {"service": address, "token_file": str(token_file)}
            Page.service = json.dumps(about).encode()
            print(f"page      {origin}")
            print(f"service   {address}, for that page; data folder {data_dir}")
            print(f"token     in {token_file}; the page asks for it", flush=True)
            pages.serve_forever()
        finally:
            service.terminate()
            service.wait()
    return 0


def end(*_: object) -> None:
    sys.exit(0)


if __name__ == "__main__":
    for _number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(_number, end)
    sys.exit(main())
