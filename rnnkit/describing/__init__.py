"""What is shown of a network, a plugin or a run: tables for the terminal, and a page to look at."""
