"""Command line and page: where people meet fonte."""
