"""Parses YAML strictly: plain data only, without duplicate members.

Needs PyYAML, which is an extra of the library.
"""

import yaml

from transcoder.errors import shown


class InvalidYaml(ValueError):
    """A text that is not YAML; the message says what was expected, and where."""


def parse_yaml(text: bytes) -> object:
    """Parses one document.

    Raises:
        InvalidYaml: the text is malformed, not UTF-8, or nested too deeply for PyYAML.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark
        at = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidYaml(f"expected YAML{at}: {exc.problem}") from exc
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as exc:
        raise InvalidYaml("expected YAML in UTF-8") from exc


class _Loader(yaml.SafeLoader):
    """Loads plain data only, and refuses two members of one name; PyYAML takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        names: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in names:
                    problem = f"{shown(key.value)} is given twice"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                names.add(key.value)
        return super().construct_mapping(node, deep=deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        try:
            return super().construct_object(node, deep=deep)
        except (AttributeError, KeyError, OverflowError, ValueError) as exc:
            # PyYAML raises any of these for a text that does not fit its tag or its form:
            # !!int a, 2024-13-01.
            problem = f"{shown(node.value)} is no {node.tag.rpartition(':')[2]}"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from exc
