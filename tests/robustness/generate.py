"""Requests that nobody sends in good faith: made from a service's descriptors, by a seed.

Two kinds. A structured one keeps the rules of HTTP, so that its path, query, headers and JSON reach
the code that reads them; a raw one has had its octets changed, so that it may break any rule.
Rule: the same seed gives the same requests, on every machine.
"""

import base64
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, quote_plus

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, ServiceDescriptor

from tests.robustness.material import (
    CODINGS,
    HEADERS,
    TAME,
    TAME_BYTES,
    TAME_KNOWN,
    TEXTS,
    TOKENS,
    VERBS,
    WOUNDS,
)

DEPTH_MAX: Final = 3
FIELDS_MAX: Final = 4

_VARIABLE: Final = re.compile(r"\{([\w.]+)(?:=([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Binding:
    """One HTTP rule: its method, its template, and what its body fills."""

    verb: str
    template: str
    body: str
    request: Descriptor


def bindings_of(service: ServiceDescriptor, prefix: str) -> Iterator[Binding]:
    """The rules of a service's unary methods, and the path of each without a rule."""
    for method in service.methods:
        if method.client_streaming or method.server_streaming:
            continue
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        rules = [rule, *rule.additional_bindings] if rule.WhichOneof("pattern") else []
        for one in rules:
            kind = one.WhichOneof("pattern")
            verb = one.custom.kind if kind == "custom" else kind.upper()
            path = one.custom.path if kind == "custom" else getattr(one, kind)
            yield Binding(verb, prefix + path, one.body, method.input_type)
        if not rules:
            path = f"/{service.full_name}/{method.name}"
            yield Binding("POST", path, "*", method.input_type)


class Generator:
    """Makes requests to the methods of some services."""

    def __init__(self, bindings: Sequence[Binding], *, seed: int, token: str = "") -> None:
        self._random = random.Random(seed)  # noqa: S311  the same ones each time are wanted
        self._bindings = bindings
        self._token = token.encode()
        self._is_tame = False

    def structured(self) -> bytes:
        """A request with a head and a length that hold."""
        draw = self._random
        self._is_tame = draw.random() < 0.4
        binding = draw.choice(self._bindings)
        verb = binding.verb.encode() if draw.random() < 0.9 else draw.choice(VERBS)
        target = self._path(binding).encode() + self._query(binding.request)
        headers = [(b"Host", b"a")]
        if self._token and draw.random() < 0.9:
            headers.append((b"Authorization", b"Bearer " + self._token))
        headers += draw.choices(HEADERS, k=0 if self._is_tame else draw.choice((0, 0, 1, 2, 3)))
        body = b""
        if (binding.body and draw.random() < 0.95) or draw.random() < 0.1:
            body = self._body(binding)
            if draw.random() < 0.1:
                coding, compress = draw.choice(CODINGS)
                headers.append((b"Content-Encoding", coding))
                body = compress(body)
                if draw.random() < 0.3:
                    body = self._wounded(body)
            if draw.random() < 0.1:
                headers.append((b"Transfer-Encoding", b"chunked"))
                body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
            else:
                headers.append((b"Content-Length", b"%d" % len(body)))
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        return b"%s %s HTTP/1.1\r\n%s\r\n%s" % (verb, target[:8000], lines, body)

    def raw(self) -> bytes:
        """A request with some octets changed, or octets that were never one."""
        draw = self._random
        if draw.random() < 0.05:
            return draw.randbytes(draw.randrange(1, 200))
        octets = self.structured()
        while octets.startswith(b"HEAD"):  # whether an answer has a body is to be seen from it
            octets = self.structured()
        head = octets[:1000]
        for _ in range(draw.choice((1, 1, 2, 3))):
            head = self._wounded(head)
        return head + octets[1000:]

    def _path(self, binding: Binding) -> str:
        path = _VARIABLE.sub(self._variable, binding.template)
        if self._random.random() < 0.05:
            path = self._wounded(path.encode()).decode("latin-1")
            path = quote("/" + path.lstrip("/"), safe="/%:;,?")
        return path

    def _variable(self, match: "re.Match[str]") -> str:
        pattern = match[2] or "*"
        return re.sub(r"\*+", lambda _: self._segment(), pattern)

    def _segment(self) -> str:
        text = self._text()
        if self._random.random() < 0.1:
            return quote(text, safe="%/:")
        return quote(text, safe="") or "x"

    def _query(self, request: Descriptor) -> bytes:
        draw = self._random
        pairs = []
        for _ in range(0 if self._is_tame else draw.choice((0, 0, 0, 1, 1, 2, 4))):
            name = self._name(request)
            text = self._text()
            quoting: Callable[[str], str] = draw.choice((quote_plus, quote, str.strip))
            pair = f"{quote(name, safe='.[]')}={quoting(text)}".encode()
            pairs.append(re.sub(rb"[\x00-\x20#\x7f-\xff]", b"_", pair))
        return b"?" + b"&".join(pairs) if pairs else b""

    def _name(self, request: Descriptor) -> str:
        draw = self._random
        names: list[str] = []
        owner: Descriptor | None = request
        while owner is not None and owner.fields and len(names) < DEPTH_MAX:
            field = draw.choice(owner.fields)
            name = draw.choice((field.name, field.json_name))
            owner = field.message_type
            if owner is not None and owner.GetOptions().map_entry:
                names.append(f"{name}[{self._text()}]")
                break
            names.append(name)
        if draw.random() < 0.1:
            names.append(self._text())
        return ".".join(names)

    def _text(self) -> str:
        return self._random.choice(TEXTS)

    # JSON, as text: what no serializer would write is to come up too.

    def _body(self, binding: Binding) -> bytes:
        draw = self._random
        if binding.body in ("", "*"):
            body = self._message(binding.request, 0)
        else:
            body = self._value(binding.request.fields_by_name[binding.body], 0)
        if draw.random() < 0.15 and not self._is_tame:
            body = self._wounded(body)
        return body

    def _message(self, descriptor: Descriptor, depth: int) -> bytes:
        draw = self._random
        if self._is_tame and descriptor.full_name.startswith("google.protobuf."):
            return draw.choice(TAME_KNOWN.get(descriptor.name, [b"0"]))
        if self._is_tame and depth >= DEPTH_MAX:
            return b"{}"
        if depth >= DEPTH_MAX or not descriptor.fields or draw.random() < 0.05:
            return draw.choice(TOKENS)
        if descriptor.full_name.startswith("google.protobuf."):
            return self._known(descriptor, depth)
        choose = draw.sample if self._is_tame else draw.choices  # which may give one twice
        count = min(draw.randrange(FIELDS_MAX + 1), len(descriptor.fields))
        fields = choose(list(descriptor.fields), k=count)
        return b"{" + b",".join(self._member(field, depth) for field in fields) + b"}"

    def _member(self, field: FieldDescriptor, depth: int) -> bytes:
        name = self._random.choice((field.json_name, field.name)).encode()
        return b'"%s":%s' % (name, self._value(field, depth))

    def _value(self, field: FieldDescriptor, depth: int) -> bytes:
        draw = self._random
        if draw.random() < 0.1 and not self._is_tame:
            return draw.choice(TOKENS)
        of = field.message_type
        if of is not None and of.GetOptions().map_entry:
            value = of.fields_by_name["value"]
            members = (
                b"%s:%s" % (self._string(), self._value(value, depth + 1))
                for _ in range(draw.randrange(4))
            )
            return b"{" + b",".join(members) + b"}"
        if field.is_repeated:
            values = (self._single(field, depth + 1) for _ in range(draw.randrange(4)))
            return b"[" + b",".join(values) + b"]"
        return self._single(field, depth + 1)

    def _single(self, field: FieldDescriptor, depth: int) -> bytes:
        if field.message_type is not None:
            return self._message(field.message_type, depth)
        if self._is_tame and field.type == FieldDescriptor.TYPE_BYTES:
            return self._random.choice(TAME_BYTES)
        if self._is_tame:
            tame = TAME.get(field.cpp_type)
            return self._string() if tame is None else self._random.choice(tame)
        return self._random.choice((self._string, self._number, self._number))()

    def _known(self, descriptor: Descriptor, depth: int) -> bytes:
        draw = self._random
        name = descriptor.full_name
        if name == "google.protobuf.Any":
            inside = draw.choice((descriptor, *(binding.request for binding in self._bindings)))
            value = self._message(inside, depth + 1)
            kind = f'"@type":"type.googleapis.com/{inside.full_name}"'.encode()
            if inside is not descriptor and value.startswith(b'{"'):
                return b"{%s,%s" % (kind, value[1:])
            return b'{%s,"value":%s}' % (kind, value)
        if name.endswith(("Struct", "Value")) and draw.random() < 0.5:
            return b'{%s:[%s,{"b":%s}]}' % (self._string(), self._number(), self._string())
        return self._string() if draw.random() < 0.7 else self._number()

    def _string(self) -> bytes:
        text = self._text()
        if self._random.random() < 0.1:
            text = base64.b64encode(text.encode()).decode()
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r\n", "\\r\\n")
        return f'"{escaped}"'.replace("\0", "\\u0000").encode()

    def _number(self) -> bytes:
        draw = self._random
        if draw.random() < 0.5:
            return b"%d" % draw.randrange(-10, 100)
        return draw.choice(TOKENS)

    def _wounded(self, octets: bytes) -> bytes:
        draw = self._random
        at = draw.randrange(len(octets) + 1)
        kind = draw.randrange(5)
        if kind == 0:
            return octets[:at] + bytes((draw.randrange(256),)) + octets[at + 1 :]
        if kind == 1:
            return octets[:at] + draw.choice(WOUNDS) + octets[at:]
        if kind == 2:
            return octets[:at]
        end = min(at + draw.randrange(1, 40), len(octets))
        if kind == 3:
            return octets[:at] + octets[end:]
        return octets[:end] + octets[at:]
