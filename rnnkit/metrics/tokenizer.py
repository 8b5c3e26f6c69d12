"""Tokens as coco-caption counts them.

coco-caption (Chen et al., "Microsoft COCO captions: data collection and evaluation server", 2015, section 3.1)
runs Stanford's PTBTokenizer 3.4.1 with `-lowerCase` over captions, then drops the tokens in its own list of
punctuation. That is Java; these are the rules that its results follow, found by comparing: those of the Penn
Treebank, with what captions have beside them (numbers, units, abbreviations, addresses).

`rnnkit data prepare` makes words otherwise, unless it is told `--tokens ptb`: there "dog's" is the word "dogs", here
it counts as "dog" and "'s".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from rnnkit.system.unicode import composed, invisible

_BRACKETS: Final = ("-LRB-", "-RRB-", "-LCB-", "-RCB-")

PUNCTUATION: Final = frozenset(
    ("''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";", *_BRACKETS)
)
"""coco-caption's own list. Brackets are in it in vain: in lower case they are called -lrb- and so on."""


def tokenize(caption: str) -> list[str]:
    """The tokens of a caption, in lower case, without punctuation.

    "A dog's t-shirt (red), isn't it?" has the tokens a, dog, 's, t-shirt, -lrb-, red, -rrb-, is, n't, it.
    """
    return [token for token in _tokens(caption) if token not in PUNCTUATION]


def join(tokens: Sequence[str]) -> str:
    """A text with these tokens: "it", "does", "n't" are "it doesn't", and "-lrb-", "red", "-rrb-" are "(red)".

    Where the text without blanks would have other tokens, it has blanks. A token that is one only with capitals, as
    in "C'est", has them.
    """
    plain = " ".join(map(_spelled, tokens))
    text = plain
    for pattern, together in _TOGETHER:
        text = pattern.sub(together, text)
    return text if text == plain or tokenize(text) == list(tokens) else plain


@cache
def _spelled(token: str) -> str:
    """A text of this token alone, if there is one."""
    text = _NAMED.sub(lambda name: _SIGNS[name[0]], token).replace("\xa0", " ")
    forms = (text, text.capitalize(), text.upper())
    return next((form for form in forms if tokenize(form) == [token]), text)


def _tokens(caption: str) -> Iterator[str]:
    for match in _pattern().finditer(composed(caption).translate(_CHARACTERS)):
        text = composed(match[0].lower())
        if text in _PARTS and match.lastgroup != "whole":
            yield from _PARTS[text]
        elif match.lastgroup == "together":
            yield text.replace(" ", "\xa0")
        elif match.lastgroup == "smiley":
            yield "".join(_NAMES.get(character, character) for character in text)
        elif match.lastgroup == "dots":
            yield "..."
        else:
            yield _NAMES.get(text, text)


_FRACTIONS: Final = ("1/2", "1/4", "3/4", "1/3", "2/3")


class _Characters(dict[int, str]):
    """A table for `str.translate` that learns each character when it first meets it."""

    def __missing__(self, code: int) -> str:
        self[code] = " " if invisible(chr(code)) else chr(code)
        return self[code]


# Quotes and dashes of print, signs that have a name, and what takes no room on paper.
_PRINTED: Final = {
    **dict.fromkeys("\u2018\u201b", "`"),
    "\u2019": "'",
    **dict.fromkeys("\u201c\u201d\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2013\u2014", "--"),
    "\u2026": "...",
    "\u00a3": "#",  # pounds
    "\u20ac": "$",  # euros
    **{sign: f"  {fraction} " for sign, fraction in zip("½¼¾⅓⅔", _FRACTIONS, strict=True)},
    "\u00ad": "",
    "\ufe0f": " ",
}
_CHARACTERS: Final = _Characters((ord(sign), text) for sign, text in _PRINTED.items())

_NAMES: Final = {
    "(": "-lrb-",
    ")": "-rrb-",
    "[": "-lsb-",
    "]": "-rsb-",
    "{": "-lcb-",
    "}": "-rcb-",
    '"': "''",
    "¢": "cents",
    "---": "--",
    "----": "--",
    "&amp;": "&",
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": "''",
    "&apos;": "'",
}

_PARTS: Final = {
    "cannot": ("can", "not"),
    "gonna": ("gon", "na"),
    "gotta": ("got", "ta"),
    "gimme": ("gim", "me"),
    "lemme": ("lem", "me"),
    "wanna": ("wan", "na"),
    "'tis": ("'t", "is"),
    "'twas": ("'t", "was"),
    "&nbsp;": (),
}

# Words that keep their period: titles, months and days, states, companies, addresses.
_ABBREVIATIONS: Final = (
    "adj adm adv al ala alex apr ariz assn assoc asst atty attys aug ave bhd bldg blvd brig bros calif capt cf "
    "cie cmdr co col colo conn corp cos cpl ct dak dec dept det dr drs elec ens esq est etc ext feb fla fri ft "
    "ga gen gov govs hon inc ind insp intl invt jan jos jr jul jun kan kans ky lt ltd maj mar md messrs mfg "
    "mich minn mlle mme mo mon mont mr mrs ms msgr mt mtg natl neb nev nov oct okla penn pfc ph plc ppte ppty "
    "pres prof pte ptes pty ptys pvt rd rep reps rev rt sen sens sep sept seq sfc sgt spc sq sr st ste supt "
    "supts sys tel tenn thu thurs treas tue tues univ va vs vt wed wis wisc wm wyo"
)
_STATES: Final = "ark az del ill la mass miss ore pa tex wash"  # words, unless they have a capital
_BEFORE_NUMBERS: Final = "art ca fig figs no nos op pp prop"


def _any(words: str) -> str:
    return "|".join(words.split())


_L: Final = r"[^\W\d_]"  # a letter
_W: Final = (
    r"(?:[^\W_²³¹⁰⁴-⁹₀-₉]|[\u0300-\u036f\u0900-\u0dff\u0e00-\u0e7f])+"  # letters, digits, marks
)
_CLITIC: Final = r"'(?:s|m|d|ll|re|ve)(?![A-Za-z])"

_TOKEN: Final = rf"""
    (?P<together> </?[A-Za-z!?][^<>]*> | \d+[ -]\d+/\d+(?!\w) )    # a tag, such as <UNK>; 1 1/2
  | (?P<smiley> [:;=]-?[()DPp](?!\w) )
  | &(?:amp|lt|gt|quot|apos|nbsp|\#\d+);
  | (?i:https?)://[^\s"<>|()]*[^\s"<>|().,!?;:'-]
  | [\w.+-]*\w@{_W}(?:[.-]{_W})*(?:[?!]+\w*)?                                   # an address of mail
  | {_W}(?:\.{_W})*\.(?:com|net|org|edu)(?!\w)(?:/[^\s"<>|()]*[^\s"<>|().,!?;:'-])?
  | [#@](?={_L})\w+                                                # a hashtag, or a name
  | (?P<whole> (?i:cannot|gonna|gotta|gimme|lemme|wanna)(?={_CLITIC}) )
    # Apostrophes: contractions, words that have one, and those left out at the end or at the beginning.
  | {_L}+?(?=(?i:n['`]ts?)(?!\w)) | (?i:n['`]ts?)(?!\w)
  | (?i:li'l|ev'ry|e'er|cap'n|c'mon|s'mores|nor'easter|nat'l)(?!\w)
  | [A-HJ-XZdlno]'(?={_L}{{2}})(?i:(?!{_CLITIC[1:]})){_L}+
  | {_L}+[aeiouyAEIOUY](?i:(?!{_CLITIC}))'[aeiouA-Z]{_L}*
  | (?i:(?:ol|dunkin|somethin)'(?!\w)|[dlj]'|y'(?=\w))
  | (?i:{_CLITIC})
  | (?i:'n'|'(?:n|em|till?|cause|tis|twas)(?!\w)) | (?<!\w)'(?:[2-9]0s(?!\w)|\d\d(?![\w']))
    # Periods: initials, abbreviations, and words that run into the next one.
  | (?i:ph\.d\.) | (?:[A-Za-z]\.)+(?:-(?:[A-Za-z]\.)+|-{_W})*(?!\w)
  | {_W}\.(?:-{_W})+
  | (?i:{_any(_ABBREVIATIONS)})\.(?!{_L}) | (?:{_any(_STATES.title())})\.(?!{_L})
  | (?i:{_any(_BEFORE_NUMBERS)})\.(?=\s?\d)
  | {_W}(?:-{_W})*\.(?=[,;:])
  | {_L}+(?:\.{_L}+)+(?:-{_W})+ | {_L}+(?:[.?!]{_L}+)+
    # Numbers and words.
  | \d+(?:[.,]\d+)+(?:-{_W})+ | [-+]?\d*(?:[.:,]\d+)+ | [-+]\d+
  | [A-Z]+(?:&[A-Z]+)+ | [A-Z]{{1,3}}\$ | C(?:\+\+|\#)
  | {_W}(?:[-_/]{_W})*
    # Signs.
  | (?P<dots> \.\.\.+ | \.[ ]\.[ ]\. ) | --+ | [?!]+ | ``? | \'\' | \*+ | _+
  | [^\s\U00010000-\U0010ffff]                                      # what is beyond is left out
"""


@cache
def _pattern() -> re.Pattern[str]:
    """Of a token; it takes long to compile, and few processes want it."""
    return re.compile(_TOKEN, re.VERBOSE)


_SIGNS: Final = {
    name: sign
    for sign, name in _NAMES.items()
    if name[0] == "-" and name[-1] == "-" and sign in "()[]{}"
}
_NAMED: Final = re.compile("|".join(_SIGNS))
_TOGETHER: Final = (
    (re.compile(r"(?<=\w) (n't|'(?:s|m|d|ll|re|ve))(?!\S)"), r"\1"),
    (re.compile(r"(?<!\S)([dljy]') (?=\w)"), r"\1"),
    (re.compile(r"(?<!\S)(gon|wan) na(?!\S)"), r"\1na"),
    (re.compile(r"(?<!\S)got ta(?!\S)"), "gotta"),
    (re.compile(r"(?<!\S)(gim|lem) me(?!\S)"), r"\1me"),
    (re.compile(r"(?<!\S)'t (is|was)(?!\S)"), r"'t\1"),
    (re.compile(r"([(\[{]) (?=\w)"), r"\1"),
    (re.compile(r"(?<=\w) ([)\]}])"), r"\1"),
)
