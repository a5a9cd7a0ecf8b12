"""Names what gRPC-Web and Connect call differently, and makes the errors of bodies in envelopes.

Follows grpc/doc/statuscodes.md (the code of each error).
"""

from dataclasses import dataclass

from grpc import StatusCode

from transcoder.errors import TranscodeError


@dataclass(frozen=True, slots=True)
class Dialect:
    """The words of one protocol.

    Attributes:
        protocol: its name, for the texts of errors.
        encoding: the header with the encoding of compressed messages.
        accept_encoding: the header with the encodings that the other side may use.
    """

    protocol: str
    encoding: str
    accept_encoding: str

    def broken(self, problem: str) -> TranscodeError:
        """Returns INTERNAL: the body is not in envelopes, or a message cannot be inflated."""
        return TranscodeError(StatusCode.INTERNAL, f"{self.protocol} framing: {problem}")

    def not_one_message(self, problem: str) -> TranscodeError:
        """Returns UNIMPLEMENTED ("Request cardinality violation")."""
        return TranscodeError(
            StatusCode.UNIMPLEMENTED,
            f"{self.protocol} framing: expected exactly one message, but {problem}",
        )
