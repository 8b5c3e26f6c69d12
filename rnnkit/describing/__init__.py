"""Describes networks, plugins and runs: tables for the terminal, and a page for the browser."""
