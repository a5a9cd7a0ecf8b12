"""Builds the wheel of the service: one package, `actions_service`, with its generated code in it.

In the repository the service is `server`, and gen/ is a source root. In site-packages these names
would clash with others: `validate` is a module of configobj. So the wheel has a copy, in which
imports name their modules below `actions_service`.
Rule: only import statements that Python's parser finds are rewritten, and two texts: the command in
help texts, and the module of the classes in generated code.
"""

import ast
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE: Final = "actions_service"
SERVICE: Final = "server"
COMMANDS: Final = (
    ("python -m server.", "python -m actions_service."),  # before the shorter text below
    ("python -m server", "actions-service"),
)
CLASSES_OF: Final = "BuildTopDescriptorsAndMessages(DESCRIPTOR, '"


class ServiceWheel(BuildHookInterface[Any]):
    """Adds the copy to the wheel; an editable install uses the repository as it is."""

    PLUGIN_NAME = "custom"
    _folder: Path | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="wheel-"))
        root = Path(self.root)
        if version == "editable":
            added = self._folder / PACKAGE
            added.mkdir()
            (added / "__init__.py").touch()
            (added / "__main__.py").write_text(f"from {SERVICE}.__main__ import main as main\n")
            build_data["force_include_editable"][str(added)] = PACKAGE
            return
        copy_package(root, self._folder / PACKAGE)
        build_data["force_include"][str(self._folder / PACKAGE)] = PACKAGE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder)


def copy_package(root: Path, target: Path) -> None:
    """Copies the service and its generated code into one package, and rewrites their imports."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / SERVICE, target, ignore=ignored)
    moved = {SERVICE: PACKAGE}
    for generated in sorted((root / "gen").iterdir()):
        if generated.is_dir():
            shutil.copytree(generated, target / generated.name, ignore=ignored)
            moved[generated.name] = f"{PACKAGE}.{generated.name}"
    for pattern in ("*.py", "*.pyi"):
        for file in target.rglob(pattern):
            text = rewritten(file.read_text("utf-8"), moved, name=str(file))
            file.write_text(text, "utf-8")


def rewritten(source: str, moved: dict[str, str], *, name: str = "") -> str:
    """Returns the source with its imports below the package.

    Args:
        source: the text of a module.
        moved: the new names of top-level packages, by their old names.
        name: the file's name, for errors.

    Raises:
        ValueError: an `import` statement binds the name of a moved package.
    """
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in moved:
                    raise ValueError(f"{name}:{node.lineno}: expected `from … import`")
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            top, dot, rest = node.module.partition(".")
            if top in moved:
                line = lines[node.lineno - 1]
                # The parser counts bytes; the text before an import is ASCII.
                start = line.index(node.module, node.col_offset + len("from"))
                end = start + len(node.module)
                lines[node.lineno - 1] = line[:start] + moved[top] + dot + rest + line[end:]
    text = "".join(lines)
    for here, installed in COMMANDS:
        text = text.replace(here, installed)
    for top, new in moved.items():
        text = text.replace(f"{CLASSES_OF}{top}.", f"{CLASSES_OF}{new}.")
    return text
