"""Values, texts and bytes that are wrong in the ways in which such things are wrong."""

from __future__ import annotations

from random import Random
from typing import Final

NUMBERS: Final = (
    "0", "-1", "1e30", "-1e-30", "nan", "inf", "-inf", "1e999", "0.5", "9223372036854775807",
    "9223372036854775808", "99999999999999999999999", "9" * 4301, "0x" + "F" * 5000, "100000", "1000000",
    "1000000000", "2147483648", "0b1" + "0" * 70, "1_000", "00", "+3", "1e5", "3.0", "1" + "0" * 400,
)  # fmt: skip

TEXTS: Final = (
    '""', '"x"', '"²"', '"\\u0000"', '"a\\u0000b"', '"\\u001b]0;owned\\u0007"', '"[/x]"', '"[red]"', '"../../etc/passwd"',
    '"/dev/zero"', '"/proc/self/mem"', '"/dev/stdin"', '"lstm"', '"rnnkit:"', '":"', '":lstm"', '"rnnkit:rnnkit:lstm"',
    '"' + "x" * 10000 + '"', '"\\ud83d"', '"\U0001f600"', '"\u202eabc"', '"~"', '"."', '"C:\\\\x"', '"NULL"', '"%s%n"', '"{}"',
)  # fmt: skip

OTHER: Final = (
    "true", "false", "[]", "{}", "[[]]", "[1, 2]", "[{}]", "[" * 200 + "]" * 200, "[" * 3000 + "]" * 3000, "1979-05-27",
    "1979-13-45", "07:32:00", '{ use = "gru" }', '{ use = "nothing" }', '{ use = 3 }', '{ use = "lstm", x = 1 }',
    '["affine", "affine"]', '{ use = "dropout", rate = 2 }', '{ use = "embedding", dim = 1000000000 }', "null", "None", "x",
    '[{ use = "embedding", dim = 4 }, "tanh"]', '{ use = "beam", width = 1000000000 }', '{ use = "sample", temperature = 0 }',
    '{ use = "adam", learning_rate = 1e30 }', '{ use = "cosine" }', '{ a = { b = { c = 1 } } }', "[nan]", '["\\u0000"]',
)  # fmt: skip

BYTES: Final = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\xbd",
    b"\x89HDF\r\n\x1a\n",
    b"{",
    b"[" * 5000,
    b"PK\3\4",
    b"\n" * 100,
)

WORDS: Final = (
    "", "x", "²", "-1", "0", "1e9", "nan", "../x", "/dev/null", "/dev/zero", "/", ".", "[/x]", "[bold]", "a=b", "\x1b[31m",
    "\udcff", "\U0001f600", "x" * 5000, "99999999999999999999", "9" * 5000, "--", "-x", "train", "val", "{", "[", '"', "%s",
    "{ use = \"beam\", width = 0 }", "{ use = \"beam\", width = 1000000000 }", "beam", "lstm", "rnnkit:lstm", "\n", "\t", "\u0661",
)  # fmt: skip
"""Arguments; a system takes no NUL in any."""


def literal(rng: Random) -> str:
    """A value as TOML has it, or nearly."""
    return rng.choice(rng.choice((NUMBERS, TEXTS, OTHER)))


def spoiled_text(rng: Random, text: str) -> str:
    """A text with a few characters or lines taken out, doubled, swapped or put in."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text) + 1)
        lines = text.split("\n")
        line = rng.randrange(len(lines))
        text = rng.choice((
            lambda at=at, text=text: text[:at] + text[at + rng.randint(1, 5) :],
            lambda at=at, text=text: text[:at] + rng.choice('[]{}"\'=.,#\\\0\x1b²\n\t') + text[at:],
            lambda lines=lines, line=line: "\n".join([*lines[: line + 1], *lines[line:]]),
            lambda lines=lines, line=line: "\n".join([*lines[:line], *lines[line + 1 :]]),
            lambda at=at, text=text: text[:at] + literal(rng) + text[at:],
        ))()  # fmt: skip
    return text


def spoiled_bytes(rng: Random, data: bytes) -> bytes:
    """Bytes that are cut, flipped, overwritten, or something else altogether."""
    kind = rng.randrange(5)
    if kind == 0:
        return data[: rng.randrange(len(data) + 1)]
    if kind == 1:
        return rng.choice(BYTES)
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 20))):
        if changed:
            at = rng.randrange(len(changed))
            if kind == 2:
                changed[at] ^= 1 << rng.randrange(8)
            else:
                changed[at : at + 8] = rng.choice((bytes(8), b"\xff" * 8, rng.randbytes(8)))
    return bytes(changed)
