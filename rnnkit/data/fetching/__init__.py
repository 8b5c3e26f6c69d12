"""Data sets fetched from the web, checked and unpacked."""
