"""Where `r3edge` and `r3edge-faults` begin: loaded at once, so that Ctrl-C ends the loading of the rest too."""

from infra.cli.exit_codes import INTERRUPTED


def r3edge() -> None:
    """Run the command line `r3edge`; Ctrl-C ends it without a traceback."""
    try:
        from infra.cli.main import main  # noqa: PLC0415  # the import may be what is interrupted

        main()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


def r3edge_faults() -> None:
    """Run the command line `r3edge-faults`; Ctrl-C ends it without a traceback."""
    try:
        from infra.cli.faults import main  # noqa: PLC0415  # as above

        main()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
