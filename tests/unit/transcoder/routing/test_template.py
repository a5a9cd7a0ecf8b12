"""Path templates: what parses to what, and where the others go wrong."""

import pytest

from transcoder.errors import SchemaError
from transcoder.routing.template import Literal, Multi, PathTemplate, Segment, Single, Variable


@pytest.mark.parametrize(
    ("text", "segments", "variables", "verb"),
    [
        pytest.param("/", (Literal(""),), (), "", id="root"),
        pytest.param("/v1", (Literal("v1"),), (), "", id="one literal"),
        pytest.param("/v1/*", (Literal("v1"), Single()), (), "", id="single wildcard"),
        pytest.param("/v1/**", (Literal("v1"), Multi()), (), "", id="multi wildcard"),
        pytest.param(
            "/v1/**/end", (Literal("v1"), Multi(), Literal("end")), (), "", id="multi, then literal"
        ),
        pytest.param(
            "/v1/{id}",
            (Literal("v1"), Single()),
            (Variable(("id",), 1, 2, is_multi=False, column=5),),
            "",
            id="variable",
        ),
        pytest.param(
            "/v1/{id=*}",
            (Literal("v1"), Single()),
            (Variable(("id",), 1, 2, is_multi=False, column=5),),
            "",
            id="variable of one wildcard",
        ),
        pytest.param(
            "/v1/{name=shelves/*}",
            (Literal("v1"), Literal("shelves"), Single()),
            (Variable(("name",), 1, 3, is_multi=True, column=5),),
            "",
            id="variable with a template",
        ),
        pytest.param(
            "/v1/{name=a/b:c}",
            (Literal("v1"), Literal("a"), Literal("b:c")),
            (Variable(("name",), 1, 3, is_multi=True, column=5),),
            "",
            id="colon within a variable is no verb",
        ),
        pytest.param(
            "/{name=fixed}",
            (Literal("fixed"),),
            (Variable(("name",), 0, 1, is_multi=False, column=2),),
            "",
            id="variable of one literal",
        ),
        pytest.param(
            "/{rest=**}",
            (Multi(),),
            (Variable(("rest",), 0, 1, is_multi=True, column=2),),
            "",
            id="variable of many",
        ),
        pytest.param(
            "/{rest=**}/tail/{kind=x}",
            (Multi(), Literal("tail"), Literal("x")),
            (
                Variable(("rest",), 0, 1, is_multi=True, column=2),
                Variable(("kind",), 2, 3, is_multi=False, column=17),
            ),
            "",
            id="literals after many",
        ),
        pytest.param(
            "/{rest=x/**}/*/{kind}:act",
            (Literal("x"), Multi(), Single(), Single()),
            (
                Variable(("rest",), 0, 2, is_multi=True, column=2),
                Variable(("kind",), 3, 4, is_multi=False, column=16),
            ),
            "act",
            id="wildcard and variable after many",
        ),
        pytest.param(
            "/{a.b_2.c}/{a.b}",
            (Single(), Single()),
            (
                Variable(("a", "b_2", "c"), 0, 1, is_multi=False, column=2),
                Variable(("a", "b"), 1, 2, is_multi=False, column=12),
            ),
            "",
            id="nested fields",
        ),
        pytest.param("/v1/a:act", (Literal("v1"), Literal("a")), (), "act", id="verb of a literal"),
        pytest.param(
            "/{id}:act",
            (Single(),),
            (Variable(("id",), 0, 1, is_multi=False, column=2),),
            "act",
            id="verb of a variable",
        ),
        pytest.param("/*:act", (Single(),), (), "act", id="verb of a wildcard"),
        pytest.param("/**:act", (Multi(),), (), "act", id="verb of many"),
        pytest.param("/a:b:c", (Literal("a"),), (), "b:c", id="verb with a colon"),
        pytest.param(
            "/a:b/c", (Literal("a:b"), Literal("c")), (), "", id="colon before the last segment"
        ),
        pytest.param("/a%20b", (Literal("a b"),), (), "", id="escaped literal"),
        pytest.param("/gr%C3%BCn", (Literal("grün"),), (), "", id="escaped beyond ascii"),
        pytest.param("/grün", (Literal("grün"),), (), "", id="beyond ascii"),
        pytest.param("/a:%61ct", (Literal("a"),), (), "act", id="escaped verb"),
        pytest.param("/$a;b=c,d@e!", (Literal("$a;b=c,d@e!"),), (), "", id="reserved characters"),
    ],
)
def test_template_parses(
    text: str, segments: tuple[Segment, ...], variables: tuple[Variable, ...], verb: str
) -> None:
    template = PathTemplate.parse(text)
    assert template == PathTemplate(text, segments, variables, verb)


@pytest.mark.parametrize(
    ("text", "column", "complaint"),
    [
        pytest.param("", 1, 'expected "/", got the end', id="empty"),
        pytest.param("v1", 1, "expected \"/\", got 'v'", id="no leading slash"),
        pytest.param("//", 2, "expected a segment, got '/'", id="empty segment"),
        pytest.param("/v1/", 5, "expected a segment, got the end", id="trailing slash"),
        pytest.param("/:act", 2, "expected a segment, got ':'", id="verb without a segment"),
        pytest.param("/a:", 4, "expected a verb, got the end", id="empty verb of a literal"),
        pytest.param("/a::b", 4, "expected a verb, got ':'", id="two colons"),
        pytest.param("/{a}::b", 6, "expected a verb, got ':'", id="two colons after a variable"),
        pytest.param("/{a}:", 6, "expected a verb, got the end", id="empty verb of a variable"),
        pytest.param(
            "/{a}:b/c", 7, "expected \"/\", a verb or the end, got '/'", id="segment after a verb"
        ),
        pytest.param(
            "/{a}b", 5, "expected \"/\", a verb or the end, got 'b'", id="text after a variable"
        ),
        pytest.param("/a{b}", 3, "a variable begins a segment", id="variable after text"),
        pytest.param(
            "/a*", 3, "expected \"/\", a verb or the end, got '*'", id="wildcard after text"
        ),
        pytest.param("/***", 4, "expected \"/\", a verb or the end, got '*'", id="three asterisks"),
        pytest.param("/a?b=c", 3, "expected \"/\", a verb or the end, got '?'", id="query"),
        pytest.param("/a b", 3, "expected \"/\", a verb or the end, got ' '", id="space"),
        pytest.param("/%2", 2, "expected a segment, got '%'", id="cut escape"),
        pytest.param("/a%zz", 3, "expected \"/\", a verb or the end, got '%'", id="bad escape"),
        pytest.param("/{}", 3, "expected a field name, got '}'", id="no field"),
        pytest.param("/{1a}", 3, "expected a field name, got '1'", id="field that is no name"),
        pytest.param("/{a.}", 5, "expected a field name, got '}'", id="field path cut"),
        pytest.param(
            "/v1/{a",
            7,
            'expected ".", "=" or "}" of the variable in column 5, got the end',
            id="variable not closed",
        ),
        pytest.param(
            "/{a/{b}",
            4,
            'expected ".", "=" or "}" of the variable in column 2, got \'/\'',
            id="variable not closed before a segment",
        ),
        pytest.param(
            "/{a=b",
            6,
            'expected "/" or "}" of the variable in column 2, got the end',
            id="sub-template not closed",
        ),
        pytest.param(
            "/{a=b/*/{c}",
            9,
            'another variable before the "}" of the variable in column 2',
            id="sub-template not closed before another variable",
        ),
        pytest.param("/{a=}", 5, "expected a segment, got '}'", id="empty sub-template"),
        pytest.param(
            "/{a={b}}",
            5,
            'another variable before the "}" of the variable in column 2',
            id="nested variable",
        ),
        pytest.param(
            "/{a.b}/{a.b}",
            8,
            "expected variable 'a.b' once",
            id="same variable twice",
        ),
        pytest.param("/**/**", 5, 'expected "**" once', id="many twice"),
        pytest.param("/{a=**}/{b=x/**}", 14, 'expected "**" once', id="many twice in variables"),
        pytest.param("/}", 2, "expected a segment, got '}'", id="stray brace"),
    ],
)
def test_bad_template_is_refused_with_its_column(text: str, column: int, complaint: str) -> None:
    with pytest.raises(SchemaError) as caught:
        PathTemplate.parse(text)
    assert str(caught.value) == f"path template {text!r}, column {column}: {complaint}"
