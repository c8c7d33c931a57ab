"""Where `r3edge`, `r3edge-faults` and `r3edge-drill` begin, loaded at once: Ctrl-C ends the loading of the rest."""

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
        from infra.cli.checkout_program import FAULTS, run_checkout_program  # noqa: PLC0415  # as above

        run_checkout_program("r3edge-faults", FAULTS)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


def r3edge_drill() -> None:
    """Run the command line `r3edge-drill`; Ctrl-C ends it without a traceback."""
    try:
        from infra.cli.checkout_program import DRILL, run_checkout_program  # noqa: PLC0415  # as above

        run_checkout_program("r3edge-drill", DRILL)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
