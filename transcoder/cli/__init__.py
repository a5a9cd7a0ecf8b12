"""Runs the command `transcoder`: serves gRPC servers, or prints the routes of services."""

from transcoder.cli.arguments import parser
from transcoder.cli.command import main

__all__ = ["main", "parser"]
