"""Runs the steps of the Containerfile in a bare root, and serves there, without podman or docker.

    debootstrap --variant=minbase --include=python3-venv,ca-certificates bookworm ROOT
    python deploy/try_steps.py ROOT

Needs root, chroot(1), mount(8) and unshare(1). ROOT stands for the base image and stays as it is;
each stage is a copy of it beside it, ROOT.0 and ROOT.1. At the end the image's command runs as the
image's user on a read-only root, in a network of this machine, until HEALTHCHECK's command
succeeds there; then it gets STOPSIGNAL.
It shows that the steps work with Debian's Python, not that an image can be pulled, built or pushed.
Follows Containerfile(5), as far as the Containerfile goes: other instructions are an error.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).parent.parent
READY_MAX_S: Final = 60.0
STOP_MAX_S: Final = 40.0
_IGNORED: Final = ("LABEL", "VOLUME", "EXPOSE")
_MADE_FOR_BUILDS: Final = ("PIP_", "SSL_", "HTTP_", "HTTPS_", "http_", "https_")
"""Prefixes of variables that a build takes from this machine: indexes, proxies, certificates."""

_READ_ONLY: Final = """
mount --bind "$1" "$1" && mount -o remount,ro,bind "$1"
mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev"
mount -t tmpfs -o mode=1777 tmp "$1/tmp" && mount -t tmpfs -o "mode=0700,uid=$3,gid=$4" data "$1$2"
root=$1; shift 4
exec "$@"
"""


@dataclass(slots=True)
class Stage:
    """Holds a stage: its root and what its instructions have set."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"
    health: list[str] = field(default_factory=list)
    stop: str = "SIGTERM"
    entry: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)


def instructions(text: str) -> list[tuple[str, str]]:
    """Returns each instruction with its arguments; lines that go on are one."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    pairs = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(name, rest) for name, rest in pairs]


def stages(text: str, base: Path) -> Stage:
    """Runs all instructions, and returns the last stage."""
    made: dict[str, Stage] = {}
    stage: Stage | None = None
    for name, rest in instructions(text):
        print(f"{name} {rest[:100]}", flush=True)
        if name == "FROM":
            _, _, alias = rest.partition(" AS ")
            stage = made[alias] = Stage(copy_of(base, f"{base}.{len(made)}"))
        elif stage is None:
            raise SystemExit(f"expected FROM first, got {name}")
        else:
            step(stage, name, rest, made)
    if stage is None:
        raise SystemExit("expected FROM, got an empty file")
    return stage


def copy_of(base: Path, target: str) -> Path:
    subprocess.run(["rm", "-rf", "--one-file-system", target], check=True)
    subprocess.run(["cp", "-a", str(base), target], check=True)
    python = Path(target) / "usr/local/bin/python"
    if not python.exists():
        python.symlink_to("/usr/bin/python3")  # Debian has no `python`, the image has
    for file in ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt"):
        subprocess.run(["cp", "-L", file, target + file], check=True)
    return Path(target)


def step(stage: Stage, name: str, rest: str, made: dict[str, Stage]) -> None:
    """Runs one instruction in a stage."""
    if name == "RUN":
        passed = {k: v for k, v in os.environ.items() if k.startswith(_MADE_FOR_BUILDS)}
        subprocess.run(
            in_root(stage, "sh", "-c", rest), env=environment(stage) | passed, check=True
        )
    elif name == "COPY":
        copy(stage, shlex.split(rest), made)
    elif name == "WORKDIR":
        stage.folder = rest
        (stage.root / rest[1:]).mkdir(parents=True, exist_ok=True)
    elif name == "ENV":
        for assignment in shlex.split(rest):
            variable, _, value = assignment.partition("=")
            stage.variables[variable] = value.replace("$PATH", environment(stage)["PATH"])
    elif name == "USER":
        stage.user = rest
    elif name == "STOPSIGNAL":
        stage.stop = rest
    elif name == "HEALTHCHECK":
        stage.health = json.loads(rest[rest.index("[") :])
    elif name in ("ENTRYPOINT", "CMD"):
        setattr(stage, {"ENTRYPOINT": "entry", "CMD": "arguments"}[name], json.loads(rest))
    elif name not in _IGNORED:
        raise SystemExit(f"expected an instruction that the Containerfile has, got {name}")


def copy(stage: Stage, words: list[str], made: dict[str, Stage]) -> None:
    """Copies files of the checkout, or of an earlier stage; a folder means its contents."""
    source = SOURCE
    if words[0].startswith("--from="):
        source = made[words.pop(0).removeprefix("--from=")].root
    *names, last = words
    target = stage.root / (Path(stage.folder) / last).as_posix().lstrip("/")
    for name in names:
        from_ = source / name.lstrip("/")
        into = target if from_.is_dir() or not last.endswith("/") else target / from_.name
        into.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["cp", "-aT", *(["--no-preserve=ownership"]), str(from_), str(into)], check=True
        )


def environment(stage: Stage) -> dict[str, str]:
    return {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/"} | stage.variables


def in_root(stage: Stage, *command: str) -> list[str]:
    moved = 'cd "$0" && exec "$@"'
    chroot = ["chroot", f"--userspec={stage.user}", str(stage.root), "sh", "-c", moved]
    return [*chroot, stage.folder, *command]


def serve(stage: Stage) -> None:
    """Serves on a read-only root until the health check succeeds, and stops."""
    user, _, group = stage.user.partition(":")
    mounted = ["unshare", "-m", "sh", "-ec", _READ_ONLY, "sh", str(stage.root)]
    data = stage.variables["ACTIONS_DATA_DIR"]
    command = [*stage.entry, *stage.arguments]
    process = subprocess.Popen(
        [*mounted, data, user, group, *in_root(stage, *command)], env=environment(stage)
    )
    try:
        enter = ["nsenter", "-t", str(process.pid), "-m"]
        deadline = time.monotonic() + READY_MAX_S
        while subprocess.run(
            [*enter, *in_root(stage, *stage.health)],
            env=environment(stage),
            stderr=subprocess.DEVNULL,
            check=False,
        ).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("expected the health check to succeed")
            time.sleep(0.5)
        print("healthy", flush=True)
        process.send_signal(getattr(signal, stage.stop))
        print("stopped with status", process.wait(STOP_MAX_S))
    finally:
        process.kill()


def main() -> None:
    stage = stages((SOURCE / "deploy" / "Containerfile").read_text("utf-8"), Path(sys.argv[1]))
    size = subprocess.check_output(["du", "-sm", str(stage.root / "opt")], encoding="utf-8")
    print("MiB added:", size.split()[0], flush=True)
    serve(stage)


if __name__ == "__main__":
    main()
