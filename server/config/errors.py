"""Defines the errors of settings."""


class ConfigError(Exception):
    """A setting cannot be used; the text is one line, for the operator."""


class InvalidSetting(Exception):
    """A value is invalid for its setting; the text names the valid values."""
