"""Finds the calls that can have failed at a place; `▶` is the place that the engine gives."""

import pytest

from server.scripts.sandbox.callees import SOURCE_MAX, callees, place_of


def found(marked: str) -> list[str]:
    before, _, after = marked.partition("▶")
    line = before.count("\n") + 1
    column = len(before.rpartition("\n")[2].encode()) + 1
    return callees(before + after, line, column)


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        pytest.param("a▶.x(1)", ["a.x"], id="member"),
        pytest.param("a.b(1) ||▶ x()", ["x"], id="name after a call"),
        pytest.param("a.x('k',▶ b)", ["a.x"], id="name in the arguments"),
        pytest.param("a.x(b▶.c, 'k')", ["a.x"], id="member in the arguments"),
        pytest.param("a.x({ k: ▶b.c, j: [1] })", ["a.x"], id="object in the arguments"),
        pytest.param("a.x(`${▶b}`)", ["a.x"], id="template in the arguments"),
        pytest.param("a.x(/[)(]/, ▶b)", ["a.x"], id="pattern in the arguments"),
        pytest.param("a.x(b / ▶c / 2)", ["a.x"], id="division in the arguments"),
        pytest.param("a.x(// )\n▶b)", ["a.x"], id="comment in the arguments"),
        pytest.param("a.x(')', ▶b)", ["a.x"], id="text in the arguments"),
        pytest.param("x(▶b, c)", [], id="another name is read later"),
        pytest.param("a▶.x(() => b.c)", ["a.x"], id="arrow"),
        pytest.param("a▶.x((b) => { b.c() })", ["a.x"], id="arrow with braces"),
        pytest.param("a.x(▶function () { b() })", ["a.x"], id="function"),
        pytest.param("a.x(▶v => v.z, 1)", ["a.x"], id="arrow of one name"),
        pytest.param("a▶.x({ f() { return b } })", ["a.x"], id="method"),
        pytest.param("a.x((b) => b▶.c())", ["b.c"], id="call within an arrow"),
        pytest.param("a.x(() => { b▶.c() })", ["b.c"], id="call within braces"),
        pytest.param("a.b(▶x(3))", ["x", "a.b"], id="call within a call"),
        pytest.param("a\n  ▶.x(1)", ["a.x"], id="over lines"),
        pytest.param("a.g(1)▶.h(2)", ["a.g(1).h"], id="member of an answer"),
        pytest.param("▶x['a b'](1)", ["x['a b']"], id="element"),
        pytest.param("a?▶.x(1)", ["a?.x"], id="optional member"),
        pytest.param("a▶.x?.(1)", ["a.x"], id="optional call"),
        pytest.param("a▶.if(1)", ["a.if"], id="word as a member"),
        pytest.param("if (▶a) {}", [], id="word that is no call"),
        pytest.param("'é'; a▶.x(1)", ["a.x"], id="columns in octets"),
        pytest.param(f"{'a' * 90}▶.x(1)", [], id="long"),
        pytest.param("a▶", [], id="no call"),
        pytest.param("▶", [], id="nothing"),
    ],
)
def test_callees_of_a_place(marked: str, expected: list[str]) -> None:
    assert found(marked) == expected


def test_a_member_that_begins_a_line_has_the_column_of_the_line_before() -> None:
    assert callees("a\n   .user\n  .foo(1)", 3, 9) == ["a.user.foo"]


@pytest.mark.parametrize(
    ("line", "column"), [(0, 1), (1, 0), (1, 10**9), (2, 1), (10**9, 1)], ids=str
)
def test_a_place_that_is_not_there_has_no_callee(line: int, column: int) -> None:
    assert callees("x", line, column) == []


def test_a_long_source_is_not_read() -> None:
    assert callees("x()" + " " * SOURCE_MAX, 1, 1) == []


@pytest.mark.parametrize("piece", ["(", "a(", "a.b(", "f(){", "()=>{", "/[", "/", "`", "'", "}"])
@pytest.mark.timeout(10)
def test_an_invalid_source_is_read_once(piece: str) -> None:
    source = piece * (SOURCE_MAX // len(piece))
    for column in (1, SOURCE_MAX // 2, SOURCE_MAX - 3):
        callees(source, 1, column)


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        pytest.param("    at f (<input>:3:4)\n    at g (<input>:5:6)\n", (3, 4), id="first"),
        pytest.param("    at <input>:3:4\n", (3, 4), id="no function"),
        pytest.param("    at map (native)\n    at f (<input>:3:4)\n", None, id="of the engine"),
        pytest.param("-", None, id="none"),
    ],
)
def test_a_place_is_that_of_the_first_frame(stack: str, expected: tuple[int, int] | None) -> None:
    assert place_of(stack) == expected
