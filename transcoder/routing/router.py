"""Matches a request's method and path against path templates.

Follows google/api/http.proto, "Path template syntax". Literal beats `*` beats `**` at each
segment. If a choice fails at a later segment, the next best is tried, across HTTP methods: a route
is always found if any template serves the path with the method asked for. A trailing slash adds an
empty segment: it is another path. If nothing matches, "%2F" is tried as a slash within variables
of several segments, as clients generated from OpenAPI escape the slashes of their values.

Rule 1: the raw path is split first and percent-decoded once, here and nowhere else.
Rule 2: the cost of a match depends on the path, never on the number of routes.
"""

import operator
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from transcoder.errors import (
    SchemaError,
    SchemaFaults,
    TranscodeError,
    malformed,
    route_not_found,
    shown,
    wrong_method,
)
from transcoder.percent import BadEscapeError, percent_decoded
from transcoder.routing.template import Literal, Multi, PathTemplate, Segment, Single

T = TypeVar("T")

_Key = tuple[tuple[Segment, ...], str, str]
"""The key of a route: segments, the template's verb, the HTTP method."""

_ANY: Final = "*"
_SLASH: Final = re.compile(r"(%2[Ff])")
_NONE: Final[frozenset[int]] = frozenset()


class RouteMatch(NamedTuple, Generic[T]):
    """The route of a request."""

    target: T
    variables: tuple[str, ...]
    """Decoded values, in the order of the template's variables."""


@dataclass(frozen=True, slots=True)
class NewRoute(Generic[T]):
    """A route to add."""

    verb: str
    """The HTTP method; "*" for any."""
    template: PathTemplate
    target: T
    """The target that `match` returns."""
    prefix: str
    """Literals before the template: "/management/v1"."""
    origin: str
    """The method or rule that asks for the route, for errors."""

    @property
    def path(self) -> str:
        """Returns the prefix and the text of the template."""
        return self.prefix + self.template.text

    @property
    def sample_path(self) -> str:
        """Returns a path that the template matches, as a request has it."""
        return self.prefix + self.template.sample


@dataclass(frozen=True, slots=True)
class _Span:
    """The segments of a path that fill a variable; behind a `**` counted from the path's end."""

    where: slice
    is_multi: bool


@dataclass(frozen=True, slots=True)
class _Route(Generic[T]):
    target: T
    spans: tuple[_Span, ...]
    singles: tuple[int, ...] | None
    """The index of each variable's segment; None if a variable has several segments."""

    def joins(self, escaped: frozenset[int], count: int) -> bool:
        """True if each escaped slash stands within a variable.

        Args:
            escaped: the segments that "%2F" stands behind.
            count: of the path's segments.
        """
        within: set[int] = set()
        for span in self.spans:
            within.update(range(count)[span.where][:-1])
        return escaped <= within


_Leaves = dict[str, dict[str, _Route[T]]]
"""Routes that end here: by the template's verb, then by HTTP method."""


class _Node(Generic[T]):
    __slots__ = ("leaves", "literals", "single", "tails")

    def __init__(self) -> None:
        self.literals: dict[str, _Node[T]] = {}
        self.single: _Node[T] | None = None
        self.tails: list[tuple[int, _Node[T]]] = []
        """Nodes behind a `**`, by the number of segments that follow it, in ascending order."""
        self.leaves: _Leaves[T] = {}

    def tail(self, length: int) -> "_Node[T]":
        """Returns the node behind a `**` that `length` segments follow."""
        for known, node in self.tails:
            if known == length:
                return node
        made: _Node[T] = _Node()
        self.tails = sorted([*self.tails, (length, made)], key=operator.itemgetter(0))
        return made


class Router(Generic[T]):
    """The routes of all services behind one port."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._static: dict[str, dict[str, RouteMatch[T]]] = {}
        self._verbs: set[str] = set()
        self._origins: dict[_Key, str] = {}

    def add(
        self, verb: str, template: PathTemplate, target: T, *, prefix: str = "", origin: str
    ) -> None:
        """Adds one route; see `add_all`."""
        self.add_all([NewRoute(verb, template, target, prefix=prefix, origin=origin)])

    def add_all(self, routes: Iterable["NewRoute[T]"], faults: SchemaFaults | None = None) -> None:
        """Adds routes: all of them, or none.

        Args:
            routes: all are checked, so that the error lists every route that exists already.
            faults: faults found before; if there is one, nothing is added.

        Raises:
            SchemaError: a prefix is invalid, another origin has the same route, or `faults`.
        """
        faults = faults or SchemaFaults()
        origins: dict[_Key, str] = {}
        added: list[tuple[NewRoute[T], tuple[Segment, ...]]] = []
        for new in routes:
            segments = (*_literals(new.prefix), *new.template.segments)
            origin = f"{new.origin}: {new.verb} {new.prefix}{new.template.text}"
            key = segments, new.template.verb, new.verb
            other = self._origins.get(key) or origins.get(key)
            if other is not None:
                faults.add(f"{origin} is the same route as {other}")
            origins[key] = origin
            added.append((new, segments))
        faults.raise_all()
        self._origins.update(origins)
        for new, segments in added:
            self._put(new, segments)

    def _put(self, new: "NewRoute[T]", segments: tuple[Segment, ...]) -> None:
        verb, template = new.verb, new.template
        methods = self._leaves_at(segments).setdefault(template.verb, {})
        # The path's first segment is the empty one before its first slash.
        offset = 1 + len(segments) - len(template.segments)
        methods[verb] = _route(template, new.target, offset=offset)
        if template.verb:
            self._verbs.add(template.verb)
        if all(isinstance(segment, Literal) for segment in segments) and "%" not in new.path:
            self._static.setdefault(new.path, {})[verb] = RouteMatch(new.target, ())

    def become(self, other: "Router[T]") -> None:
        """Takes the routes of another router in place of its own, in one step."""
        self._root, self._static = other._root, other._static  # noqa: SLF001  of this class
        self._verbs, self._origins = other._verbs, other._origins  # noqa: SLF001  as above

    def match(self, verb: str, raw_path: str) -> RouteMatch[T]:
        """Finds the route of a request.

        Args:
            verb: the HTTP method, as received. HEAD is served by routes of GET too.
            raw_path: without the query, as received: still percent-encoded.

        Raises:
            TranscodeError: NOT_FOUND; UNIMPLEMENTED with Allow (405) if the path has only routes of
                other methods; INVALID_ARGUMENT if it cannot be decoded.
        """
        static = self._static.get(raw_path)
        if static is not None and verb in static:
            return static[verb]
        raw = raw_path.split("/")
        if raw[0] or len(raw) == 1:
            raise malformed(f'path: expected "/" first, got {shown(raw_path)}')
        is_plain = raw_path.isascii() and "%" not in raw_path
        segments = raw if is_plain else [_decode_segment(segment) for segment in raw]
        allowed: set[str] = set()
        found = self._match_segments(verb, raw, segments, allowed)
        if found is None and not is_plain:
            raw, escaped = _split_escaped(raw)
            if escaped:
                segments = [_decode_segment(segment) for segment in raw]
                found = self._match_segments(verb, raw, segments, allowed, escaped)
        if found is None:
            raise _no_route(allowed)
        return found

    def _match_segments(
        self,
        verb: str,
        raw: list[str],
        segments: list[str],
        allowed: set[str],
        escaped: frozenset[int] = _NONE,
    ) -> RouteMatch[T] | None:
        if self._verbs and ":" in raw[-1]:
            found = self._match_verb(verb, raw, segments, allowed, escaped)
            if found is not None:
                return found
        route = self._find(verb, segments, "", allowed, escaped)
        if route is None:
            return None
        singles = route.singles
        if singles is not None:
            return RouteMatch(route.target, tuple([segments[index] for index in singles]))
        return RouteMatch(route.target, _values(route, raw, segments))

    def _match_verb(
        self,
        verb: str,
        raw: list[str],
        segments: list[str],
        allowed: set[str],
        escaped: frozenset[int],
    ) -> RouteMatch[T] | None:
        """Returns the match of a path that ends in the verb of a template; None without one.

        Tries each colon of the last segment that a known verb follows. Other colons are data, as in
        an id, and "%3A" never begins a verb.
        """
        last = raw[-1]
        position = last.find(":")
        while position >= 0:
            suffix = _decode_segment(last[position + 1 :])
            if suffix in self._verbs:
                head = last[:position]
                raw_head = [*raw[:-1], head]
                decoded = [*segments[:-1], _decode_segment(head)]
                route = self._find(verb, decoded, suffix, allowed, escaped)
                if route is not None:
                    return RouteMatch(route.target, _values(route, raw_head, decoded))
            position = last.find(":", position + 1)
        return None

    def _find(
        self,
        verb: str,
        segments: Sequence[str],
        suffix: str,
        allowed: set[str],
        escaped: frozenset[int],
    ) -> _Route[T] | None:
        """Returns the most specific route for the method; `allowed` gathers other methods.

        Passes over routes that have an escaped slash outside of their variables.
        """
        count = len(segments)
        node = self._root
        depth = 1
        # Less specific choices, the next best last. A node has one depth, so none is met twice.
        pending: list[tuple[_Node[T], int]] = []
        while True:
            if node.tails:
                for length, tail in node.tails:
                    if depth + length <= count:
                        pending.append((tail, count - length))
            if depth < count:
                segment = segments[depth]
                child = node.literals.get(segment)
                if node.single is not None and segment:
                    if child is None:
                        child = node.single
                    else:
                        pending.append((node.single, depth + 1))
                if child is not None:
                    node = child
                    depth += 1
                    continue
            else:
                leaves = _joining(node.leaves, escaped, count) if escaped else node.leaves
                route = _pick(leaves, suffix, verb, allowed)
                if route is not None:
                    return route
            if not pending:
                return None
            node, depth = pending.pop()

    def _leaves_at(self, segments: Sequence[Segment]) -> _Leaves[T]:
        node = self._root
        for index, segment in enumerate(segments):
            if isinstance(segment, Literal):
                node = node.literals.setdefault(segment.text, _Node())
            elif isinstance(segment, Single):
                if node.single is None:
                    node.single = _Node()
                node = node.single
            else:
                node = node.tail(len(segments) - index - 1)
        return node.leaves


def _literals(prefix: str) -> tuple[Literal, ...]:
    if not prefix:
        return ()
    template = PathTemplate.parse(prefix)
    literals = tuple(part for part in template.segments if isinstance(part, Literal))
    if prefix == "/" or template.verb or template.variables or literals != template.segments:
        raise SchemaError(
            f"prefix {prefix!r}: expected literal segments only, as in '/management/v1'"
        )
    return literals


def _route(template: PathTemplate, target: T, *, offset: int) -> _Route[T]:
    count = len(template.segments)
    multi_at = count
    for index, segment in enumerate(template.segments):
        if isinstance(segment, Multi):
            multi_at = index
    spans = []
    for variable in template.variables:
        start = variable.start + (offset if variable.start <= multi_at else -count)
        end: int | None = variable.end + (offset if variable.end <= multi_at else -count)
        spans.append(_Span(slice(start, end or None), variable.is_multi))
    has_multi = any(span.is_multi for span in spans)
    singles = None if has_multi else tuple(span.where.start for span in spans)
    return _Route(target, tuple(spans), singles)


def _pick(leaves: _Leaves[T], suffix: str, verb: str, allowed: set[str]) -> _Route[T] | None:
    methods = leaves.get(suffix)
    if methods is None:
        return None
    route = methods.get(verb)
    if route is None and verb == "HEAD":
        route = methods.get("GET")
    if route is None:
        route = methods.get(_ANY)
    if route is None:
        allowed.update(methods)
    return route


def _joining(leaves: _Leaves[T], escaped: frozenset[int], count: int) -> _Leaves[T]:
    """Returns the routes that have each escaped slash within a variable."""
    return {
        suffix: {verb: route for verb, route in methods.items() if route.joins(escaped, count)}
        for suffix, methods in leaves.items()
    }


def _no_route(allowed: set[str]) -> TranscodeError:
    if not allowed:
        return route_not_found()
    if "GET" in allowed:
        allowed.add("HEAD")
    return wrong_method(sorted(allowed))


def _values(route: _Route[T], raw: list[str], segments: list[str]) -> tuple[str, ...]:
    return tuple(
        "/".join([_decode_but_slash(part) for part in raw[span.where]])
        if span.is_multi
        else segments[span.where.start]
        for span in route.spans
    )


def _split_escaped(raw: list[str]) -> tuple[list[str], frozenset[int]]:
    """Splits segments at "%2F" too; also returns the indexes of segments that a "%2F" ends."""
    parts: list[str] = []
    escaped: set[int] = set()
    for segment in raw:
        within = _SLASH.split(segment)[::2]
        escaped.update(range(len(parts), len(parts) + len(within) - 1))
        parts += within
    return parts, frozenset(escaped)


def _decode_but_slash(segment: str) -> str:
    return "".join(
        part if index % 2 else _decode_segment(part)
        for index, part in enumerate(_SLASH.split(segment))
    )


def _decode_segment(segment: str) -> str:
    try:
        return percent_decoded(segment)
    except BadEscapeError:
        problem = "expected two hex digits after each '%'"
        raise malformed(f"path segment {shown(segment)}: {problem}") from None
    except UnicodeError as exc:
        raise malformed(f"path segment {_shown_ascii(segment)}: expected UTF-8") from exc


def _shown_ascii(segment: str) -> str:
    return shown(segment.encode("ascii", "backslashreplace").decode())
