"""rnnkit's built-in plugins: one file each, declared as entry points like anyone else's."""
