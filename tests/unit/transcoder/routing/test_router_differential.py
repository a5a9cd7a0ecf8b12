"""The trie against a list of templates that are tried one by one, most specific first."""

from collections.abc import Iterator, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from transcoder.errors import SchemaError, TranscodeError
from transcoder.routing.router import Router
from transcoder.routing.template import PathTemplate

QUICK = settings(max_examples=500, deadline=None, derandomize=True)
METHODS = ["GET", "POST", "*"]

Route = tuple[str, tuple[str, ...], str]
"""HTTP method, segments, verb."""


def templates() -> st.SearchStrategy[Route]:
    segments = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=4)
    many = st.tuples(
        st.lists(st.sampled_from(["a", "b", "*"]), max_size=2),
        st.lists(st.sampled_from(["a", "b", "*"]), max_size=2),
    ).map(lambda ends: [*ends[0], "**", *ends[1]])
    return st.tuples(
        st.sampled_from(METHODS),
        (segments | many).map(tuple),
        st.sampled_from(["", "", "a", "a:b"]),
    )


def takes(template: Sequence[str], path: Sequence[str]) -> bool:
    if not template:
        return not path
    head, *tail = template
    if head == "**":
        return any(takes(tail, path[skip:]) for skip in range(len(path) + 1))
    if not path or (head == "*" and not path[0]) or (head != "*" and head != path[0]):
        return False
    return takes(tail, path[1:])


def readings(path: Sequence[str]) -> Iterator[tuple[list[str], str]]:
    """A path and its verb, in the order that they are tried: the longest verb first, none last."""
    *head, last = path
    for position, character in enumerate(last):
        if character == ":":
            yield [*head, last[:position]], last[position + 1 :]
    yield [*path], ""


def rank(route: Route) -> list[tuple[int, int]]:
    """The less, the more specific, from left to right; behind a `**` the longer tail."""
    kinds = {"*": (1, 0), "**": (2, -len(route[1]))}
    return [kinds.get(segment, (0, 0)) for segment in route[1]]


def expected(routes: Sequence[Route], method: str, path: Sequence[str]) -> Route | None:
    for segments, verb in readings(path):
        found = [
            route
            for route in routes
            if route[2] == verb and route[0] in (method, "*") and takes(route[1], segments)
        ]
        if found:
            return min(found, key=lambda route: (rank(route), route[0] == "*"))
    return None


@QUICK
@given(
    asked=st.lists(templates(), min_size=1, max_size=12, unique=True),
    paths=st.lists(
        st.lists(
            st.sampled_from(["a", "b", "c", "", "a:a", "b:a:b", ":a", "a:c"]),
            min_size=1,
            max_size=5,
        ),
        min_size=1,
        max_size=8,
    ),
)
def test_the_most_specific_route_is_found(asked: list[Route], paths: list[list[str]]) -> None:
    router: Router[Route] = Router()
    routes = []
    for route in asked:
        method, segments, verb = route
        text = "/" + "/".join(segments) + (f":{verb}" if verb else "")
        try:
            router.add(method, PathTemplate.parse(text), route, origin=text)
        except SchemaError:  # the same route twice
            continue
        routes.append(route)
    for path in paths:
        for method in ("GET", "POST", "PUT"):
            best = expected(routes, method, path)
            found, status = None, 200
            try:
                found = router.match(method, "/" + "/".join(path)).target
            except TranscodeError as error:
                status = error.http_status
            assert found == best, (path, method, routes)
            others = any(expected(routes, other, path) for other in ("GET", "POST"))
            assert status == (200 if best else 405 if others else 404)
