"""Reads HTTP rules from a service configuration: YAML or JSON, beside the descriptors.

Follows google/api/service.proto (only `http` is read), google/api/http.proto, and
google/api/documentation.proto for the syntax of a selector: names separated by commas, each whole
or ending in ".*"; "*" selects all. Of two rules for one method the last applies.
Rule: the value of `http` is google.api.Http in ProtoJSON; unknown members are errors.
"""

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
from google.api import http_pb2
from google.protobuf.descriptor_pool import Default

from transcoder.codec.decoder import DecoderCompiler
from transcoder.codec.message_types import MessageReader
from transcoder.codec.scalars import Fault
from transcoder.errors import SchemaError, shown

logger = logging.getLogger(__name__)

_SELECTOR_PATTERN: Final = re.compile(r"(?:[A-Za-z_]\w*\.)*(?:[A-Za-z_]\w*|\*)", re.ASCII)
_NESTING_MAX: Final = 10
_NAMED_MAX: Final = 5
"""Selectors that one line of the log names."""
_TYPE: Final = "google.api.Service"
_HTTP_MEMBERS: Final = frozenset(
    {"rules", "fully_decode_reserved_expansion", "fullyDecodeReservedExpansion"}
)


@dataclass(frozen=True, slots=True)
class ConfiguredRule:
    """One of `http.rules`."""

    origin: str
    """The file, the rule and its selector, for errors."""
    patterns: tuple[str, ...]
    """The names and wildcards of its selector."""
    rule: http_pb2.HttpRule


class ServiceConfig:
    """The HTTP rules of a service configuration."""

    def __init__(self, source: str | os.PathLike[str] | bytes) -> None:
        """Reads the file.

        Args:
            source: the path of a file; or, as bytes, its text.

        Raises:
            SchemaError: names the file, the rule, its selector, and what is wrong.
        """
        if isinstance(source, bytes):
            self._origin, text = "service configuration", source
        else:
            self._origin = f"service configuration {os.fspath(source)}"
            try:
                text = Path(source).read_bytes()
            except OSError as exc:
                raise SchemaError(f"{self._origin}: {exc.strerror or 'it cannot be read'}") from exc
        rules = self._rules_in(self._parsed(text))
        readers = DecoderCompiler(Default(), strict=True)
        read = readers.message(http_pb2.HttpRule.DESCRIPTOR)
        self._rules: list[ConfiguredRule] = [
            self._rule(index, rule, read) for index, rule in enumerate(rules)
        ]
        # Of two rules with one pattern the last applies.
        self._last = {
            pattern: index for index, rule in enumerate(self._rules) for pattern in rule.patterns
        }

    def rule_of(self, method: str) -> ConfiguredRule | None:
        """Returns the rule for a method, given by its full name."""
        last = max(self._last.get(pattern, -1) for pattern in patterns_of(method))
        return self._rules[last] if last >= 0 else None

    def require_methods(self, methods: Iterable[str]) -> None:
        """Checks that each selector of a registered service selects a method.

        Selectors of other services are logged: a configuration may be for several servers.

        Raises:
            SchemaError: a service lacks the method of a selector; names the rule and the selector.
        """
        known: set[str] = set()
        services: set[str] = set()
        for method in methods:
            known.update(patterns_of(method))
            services.add(method.rpartition(".")[0])
        unused = []
        for configured in self._rules:
            for pattern in configured.patterns:
                if pattern in known:
                    continue
                if pattern.rpartition(".")[0] in services:
                    raise SchemaError(
                        f"{configured.origin}: {pattern!r} selects no method that is registered"
                    )
                unused.append(pattern)
        if unused:
            named = f"{', '.join(unused[:_NAMED_MAX])}{', …' if unused[_NAMED_MAX:] else ''}"
            logger.warning(
                "%s: %d selectors of services that are not registered: %s",
                self._origin,
                len(unused),
                named,
            )

    def _parsed(self, text: bytes) -> object:
        try:
            # JSON first: PyYAML refuses JSON that is indented by tabs.
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
        try:
            from transcoder.routing.yaml_text import InvalidYaml, parse_yaml
        except ImportError:
            raise SchemaError(
                f"{self._origin}: expected JSON, as PyYAML is not installed; "
                "install grpc-transcoder[yaml] to read YAML"
            ) from None
        try:
            return parse_yaml(text)
        except InvalidYaml as fault:
            raise SchemaError(f"{self._origin}: {fault}") from fault

    def _rules_in(self, config: object) -> list[object]:
        if not isinstance(config, dict):
            raise self._unexpected("a mapping with http.rules in it", config)
        kind = config.get("type", _TYPE)
        if kind != _TYPE:
            raise self._unexpected(f"{_TYPE!r} as its type", kind)
        # Most published configurations have the type, and many have no rules.
        http = config.get("http", {} if "type" in config else None)
        if not isinstance(http, dict):
            raise self._unexpected("a mapping as http", http)
        for name, value in http.items():
            if name not in _HTTP_MEMBERS:
                raise SchemaError(f"{self._origin}: http has no member {shown(name)}")
            # fully_decode_reserved_expansion has no effect: all but "%2F" is always decoded.
            if name != "rules" and not isinstance(value, bool):
                raise self._unexpected(f"true or false as http.{name}", value)
        rules = http.get("rules", [])
        if not isinstance(rules, list):
            raise self._unexpected("a list as http.rules", rules)
        return rules

    def _rule(self, index: int, value: object, read: MessageReader) -> ConfiguredRule:
        origin = f"{self._origin}: http.rules[{index}]"
        if not isinstance(value, Mapping):
            raise SchemaError(f"{origin}: expected a mapping with a selector, got {_kind(value)}")
        selector = value.get("selector")
        if not isinstance(selector, str):
            raise SchemaError(f"{origin}: expected a text as its selector, got {_kind(selector)}")
        origin = f"{origin} ({selector})"
        patterns = tuple(pattern.strip() for pattern in selector.split(","))
        for pattern in patterns:
            if not _SELECTOR_PATTERN.fullmatch(pattern):
                raise SchemaError(
                    f"{origin}: expected the name of a method, or one that ends in '.*', "
                    f"got {shown(pattern)}"
                )
        rule = http_pb2.HttpRule()
        try:
            read(rule, value, _NESTING_MAX)
        except Fault as fault:
            raise SchemaError(f"{origin}: {fault.text('rule')}") from None
        if any(binding.selector for binding in rule.additional_bindings):
            raise SchemaError(f"{origin}: a selector within additional_bindings")
        return ConfiguredRule(origin, patterns, rule)

    def _unexpected(self, expected: str, value: object) -> SchemaError:
        return SchemaError(f"{self._origin}: expected {expected}, got {_kind(value)}")


def patterns_of(method: str) -> Iterator[str]:
    """Yields the patterns that select a method: "a.B.C", "a.B.*", "a.*", "*"."""
    yield method
    dot = method.rfind(".")
    while dot >= 0:
        yield f"{method[:dot]}.*"
        dot = method.rfind(".", 0, dot)
    yield "*"


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return shown(value)
