"""Runs the command line as `python -m server`."""

import signal


def main() -> None:
    # Until the command line is imported, Ctrl-C ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from server.cli import main as run

    run()


if __name__ == "__main__":
    main()
