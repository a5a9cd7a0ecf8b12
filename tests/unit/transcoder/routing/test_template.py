"""Path templates: what parses to what, and where the others go wrong."""

from tests.support.raised import misconfigured
from tests.support.tables import cases
from transcoder.routing.template import Literal, Multi, PathTemplate, Segment, Single, Variable

ONE = Single()
MANY = Multi()


def single(path: str, start: int, end: int, column: int) -> Variable:
    return Variable(tuple(path.split(".")), start, end, is_multi=False, column=column)


def multi(path: str, start: int, end: int, column: int) -> Variable:
    return Variable(tuple(path.split(".")), start, end, is_multi=True, column=column)


@cases(
    "text, segments, variables, verb",
    {
        "root": ("/", ("",), (), ""),
        "one literal": ("/v1", ("v1",), (), ""),
        "single wildcard": ("/v1/*", ("v1", ONE), (), ""),
        "multi wildcard": ("/v1/**", ("v1", MANY), (), ""),
        "multi, then literal": ("/v1/**/end", ("v1", MANY, "end"), (), ""),
        "variable": ("/v1/{id}", ("v1", ONE), (single("id", 1, 2, 5),), ""),
        "variable of one wildcard": ("/v1/{id=*}", ("v1", ONE), (single("id", 1, 2, 5),), ""),
        "variable with a template": (
            "/v1/{name=shelves/*}",
            ("v1", "shelves", ONE),
            (multi("name", 1, 3, 5),),
            "",
        ),
        "colon within a variable is no verb": (
            "/v1/{name=a/b:c}",
            ("v1", "a", "b:c"),
            (multi("name", 1, 3, 5),),
            "",
        ),
        "variable of one literal": ("/{name=fixed}", ("fixed",), (single("name", 0, 1, 2),), ""),
        "variable of many": ("/{rest=**}", (MANY,), (multi("rest", 0, 1, 2),), ""),
        "literals after many": (
            "/{rest=**}/tail/{kind=x}",
            (MANY, "tail", "x"),
            (multi("rest", 0, 1, 2), single("kind", 2, 3, 17)),
            "",
        ),
        "wildcard and variable after many": (
            "/{rest=x/**}/*/{kind}:act",
            ("x", MANY, ONE, ONE),
            (multi("rest", 0, 2, 2), single("kind", 3, 4, 16)),
            "act",
        ),
        "nested fields": (
            "/{a.b_2.c}/{a.b}",
            (ONE, ONE),
            (single("a.b_2.c", 0, 1, 2), single("a.b", 1, 2, 12)),
            "",
        ),
        "verb of a literal": ("/v1/a:act", ("v1", "a"), (), "act"),
        "verb of a variable": ("/{id}:act", (ONE,), (single("id", 0, 1, 2),), "act"),
        "verb of a wildcard": ("/*:act", (ONE,), (), "act"),
        "verb of many": ("/**:act", (MANY,), (), "act"),
        "verb with a colon": ("/a:b:c", ("a",), (), "b:c"),
        "colon before the last segment": ("/a:b/c", ("a:b", "c"), (), ""),
        "escaped literal": ("/a%20b", ("a b",), (), ""),
        "escaped beyond ascii": ("/gr%C3%BCn", ("grün",), (), ""),
        "beyond ascii": ("/grün", ("grün",), (), ""),
        "escaped verb": ("/a:%61ct", ("a",), (), "act"),
        "reserved characters": ("/$a;b=c,d@e!", ("$a;b=c,d@e!",), (), ""),
    },
)
def test_template_parses(
    text: str, segments: tuple[str | Segment, ...], variables: tuple[Variable, ...], verb: str
) -> None:
    parsed = tuple(Literal(each) if isinstance(each, str) else each for each in segments)
    assert PathTemplate.parse(text) == PathTemplate(text, parsed, variables, verb)


@cases(
    "text, column, complaint",
    {
        "empty": ("", 1, 'expected "/", got the end'),
        "no leading slash": ("v1", 1, "expected \"/\", got 'v'"),
        "empty segment": ("//", 2, "expected a segment, got '/'"),
        "trailing slash": ("/v1/", 5, "expected a segment, got the end"),
        "verb without a segment": ("/:act", 2, "expected a segment, got ':'"),
        "empty verb of a literal": ("/a:", 4, "expected a verb, got the end"),
        "two colons": ("/a::b", 4, "expected a verb, got ':'"),
        "two colons after a variable": ("/{a}::b", 6, "expected a verb, got ':'"),
        "empty verb of a variable": ("/{a}:", 6, "expected a verb, got the end"),
        "segment after a verb": ("/{a}:b/c", 7, "expected \"/\", a verb or the end, got '/'"),
        "text after a variable": ("/{a}b", 5, "expected \"/\", a verb or the end, got 'b'"),
        "variable after text": ("/a{b}", 3, "a variable begins a segment"),
        "wildcard after text": ("/a*", 3, "expected \"/\", a verb or the end, got '*'"),
        "three asterisks": ("/***", 4, "expected \"/\", a verb or the end, got '*'"),
        "query": ("/a?b=c", 3, "expected \"/\", a verb or the end, got '?'"),
        "space": ("/a b", 3, "expected \"/\", a verb or the end, got ' '"),
        "cut escape": ("/%2", 2, "expected a segment, got '%'"),
        "bad escape": ("/a%zz", 3, "expected \"/\", a verb or the end, got '%'"),
        "no field": ("/{}", 3, "expected a field name, got '}'"),
        "field that is no name": ("/{1a}", 3, "expected a field name, got '1'"),
        "field path cut": ("/{a.}", 5, "expected a field name, got '}'"),
        "variable not closed": (
            "/v1/{a",
            7,
            'expected ".", "=" or "}" of the variable in column 5, got the end',
        ),
        "variable not closed before a segment": (
            "/{a/{b}",
            4,
            'expected ".", "=" or "}" of the variable in column 2, got \'/\'',
        ),
        "sub-template not closed": (
            "/{a=b",
            6,
            'expected "/" or "}" of the variable in column 2, got the end',
        ),
        "sub-template not closed before another variable": (
            "/{a=b/*/{c}",
            9,
            'another variable before the "}" of the variable in column 2',
        ),
        "empty sub-template": ("/{a=}", 5, "expected a segment, got '}'"),
        "nested variable": (
            "/{a={b}}",
            5,
            'another variable before the "}" of the variable in column 2',
        ),
        "same variable twice": ("/{a.b}/{a.b}", 8, "expected variable 'a.b' once"),
        "many twice": ("/**/**", 5, 'expected "**" once'),
        "many twice in variables": ("/{a=**}/{b=x/**}", 14, 'expected "**" once'),
        "stray brace": ("/}", 2, "expected a segment, got '}'"),
    },
)
def test_bad_template_is_refused_with_its_column(text: str, column: int, complaint: str) -> None:
    with misconfigured(f"path template {text!r}, column {column}: {complaint}"):
        PathTemplate.parse(text)
