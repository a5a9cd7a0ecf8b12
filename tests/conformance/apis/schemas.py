"""Judges answers by the schemas of an OpenAPI document.

Rule: what messages at random do wrong by themselves is no misfit: fields that they lack, although
they are required, and numbers that their enums do not have.
"""

from typing import Any

from openapi_schema_validator import OAS31Validator


class AnswerSchemas:
    """The schemas of messages in one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._components = document["components"]
        self._validators: dict[str, Any] = {}

    def misfit(self, message: str, value: object) -> str:
        """Returns what of a JSON value does not fit the schema of a message; empty if all does."""
        if message not in self._components["schemas"]:
            return ""  # a type that ProtoJSON writes as no object of its fields
        validator = self._validators.get(message)
        if validator is None:
            schema = {"$ref": f"#/components/schemas/{message}", "components": self._components}
            validator = self._validators[message] = OAS31Validator(schema)
        for error in validator.iter_errors(value):
            is_number_of_enum = "enum" in error.schema and isinstance(error.instance, int)
            if error.validator != "required" and not is_number_of_enum:
                return f"{error.json_path} does not fit the document: {error.message}"[:600]
        return ""
