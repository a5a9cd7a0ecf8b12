"""Runs the scripts of a trigger, each in a fresh context in a worker process.

`contract` defines requests and results. `host` runs in the service and decides what a script may
do; `sandbox` runs in the worker processes and calls the engine with the files of `js`. They share
only `protocol`, the frames between them.

Rule: this package imports nothing of ours but itself, `server.resolver` and `server.triggers`.
This file imports nothing: workers load it, and must start fast.
"""
