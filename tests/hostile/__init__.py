"""Thousands of inputs that nobody means well with: specs, arguments, data folders, model files, plugins, servers ..

python -m tests.hostile [N] [SEED] [--only KIND] [--workers W]

Each input is one call of the command line, in a folder of its own and a process of its own, which is forked off one
that has all modules. It must end within its limits of time and memory, with exit code 0, 1 or 2, without a traceback
or a character that a terminal obeys, and change no file but its output. Nonsense that is accepted is listed with the
reason for it; what has none in accepted.py must not be accepted. Ctrl-C and SIGTERM end it, with what is known by then.
"""
