"""BERT's basic tokenizer: text to normalised words, with the source index of every character.

The reference is Hugging Face's BertNormalizer and BertPreTokenizer, for every code point: clean, put spaces around CJK,
decompose and drop accents, lower-case, split at white space and punctuation. Source indices are tracked during
normalisation; searching for words afterwards fails if normalisation changes the length of a text.
"""

import itertools
import re
import unicodedata
from collections.abc import Sequence

# The reference uses the categories of Unicode 8.0: later characters are neither control nor mark nor punctuation.
# They are listed here, so that tokens do not depend on the version of Python.
# Cc (except tab, newline, return), Cf, Cs, Co and the replacement character: dropped.
_CONTROL = """
    0-8 B-C E-1F 7F-9F AD 600-605 61C 6DD 70F 180E 200B-200F 202A-202E 2060-2064 2066-206F D800-F8FF FEFF FFF9-FFFB
    FFFD 110BD 1BCA0-1BCA3 1D173-1D17A E0001 E0020-E007F F0000-FFFFD 100000-10FFFD
"""
# Mn: dropped with the accents.
_MARK = """
    300-36F 483-487 591-5BD 5BF 5C1-5C2 5C4-5C5 5C7 610-61A 64B-65F 670 6D6-6DC 6DF-6E4 6E7-6E8 6EA-6ED 711 730-74A
    7A6-7B0 7EB-7F3 816-819 81B-823 825-827 829-82D 859-85B 8E3-902 93A 93C 941-948 94D 951-957 962-963 981 9BC
    9C1-9C4 9CD 9E2-9E3 A01-A02 A3C A41-A42 A47-A48 A4B-A4D A51 A70-A71 A75 A81-A82 ABC AC1-AC5 AC7-AC8 ACD AE2-AE3
    B01 B3C B3F B41-B44 B4D B56 B62-B63 B82 BC0 BCD C00 C3E-C40 C46-C48 C4A-C4D C55-C56 C62-C63 C81 CBC CBF CC6
    CCC-CCD CE2-CE3 D01 D41-D44 D4D D62-D63 DCA DD2-DD4 DD6 E31 E34-E3A E47-E4E EB1 EB4-EB9 EBB-EBC EC8-ECD F18-F19
    F35 F37 F39 F71-F7E F80-F84 F86-F87 F8D-F97 F99-FBC FC6 102D-1030 1032-1037 1039-103A 103D-103E 1058-1059
    105E-1060 1071-1074 1082 1085-1086 108D 109D 135D-135F 1712-1714 1732-1734 1752-1753 1772-1773 17B4-17B5
    17B7-17BD 17C6 17C9-17D3 17DD 180B-180D 18A9 1920-1922 1927-1928 1932 1939-193B 1A17-1A18 1A1B 1A56 1A58-1A5E
    1A60 1A62 1A65-1A6C 1A73-1A7C 1A7F 1AB0-1ABD 1B00-1B03 1B34 1B36-1B3A 1B3C 1B42 1B6B-1B73 1B80-1B81 1BA2-1BA5
    1BA8-1BA9 1BAB-1BAD 1BE6 1BE8-1BE9 1BED 1BEF-1BF1 1C2C-1C33 1C36-1C37 1CD0-1CD2 1CD4-1CE0 1CE2-1CE8 1CED 1CF4
    1CF8-1CF9 1DC0-1DF5 1DFC-1DFF 20D0-20DC 20E1 20E5-20F0 2CEF-2CF1 2D7F 2DE0-2DFF 302A-302D 3099-309A A66F
    A674-A67D A69E-A69F A6F0-A6F1 A802 A806 A80B A825-A826 A8C4 A8E0-A8F1 A926-A92D A947-A951 A980-A982 A9B3
    A9B6-A9B9 A9BC A9E5 AA29-AA2E AA31-AA32 AA35-AA36 AA43 AA4C AA7C AAB0 AAB2-AAB4 AAB7-AAB8 AABE-AABF AAC1
    AAEC-AAED AAF6 ABE5 ABE8 ABED FB1E FE00-FE0F FE20-FE2F 101FD 102E0 10376-1037A 10A01-10A03 10A05-10A06
    10A0C-10A0F 10A38-10A3A 10A3F 10AE5-10AE6 11001 11038-11046 1107F-11081 110B3-110B6 110B9-110BA 11100-11102
    11127-1112B 1112D-11134 11173 11180-11181 111B6-111BE 111CA-111CC 1122F-11231 11234 11236-11237 112DF
    112E3-112EA 11300-11301 1133C 11340 11366-1136C 11370-11374 114B3-114B8 114BA 114BF-114C0 114C2-114C3
    115B2-115B5 115BC-115BD 115BF-115C0 115DC-115DD 11633-1163A 1163D 1163F-11640 116AB 116AD 116B0-116B5 116B7
    1171D-1171F 11722-11725 11727-1172B 16AF0-16AF4 16B30-16B36 16F8F-16F92 1BC9D-1BC9E 1D167-1D169 1D17B-1D182
    1D185-1D18B 1D1AA-1D1AD 1D242-1D244 1DA00-1DA36 1DA3B-1DA6C 1DA75 1DA84 1DA9B-1DA9F 1DAA1-1DAAF 1E8D0-1E8D6
    E0100-E01EF
"""
# Other characters of a combining class in Unicode 9.0, by which the reference sorts: they stay, but change places.
_MOVING = """
    8D4-8E1 1B44 1BAA 1BF2-1BF3 1DFB 302E-302F A953 A9C0 111C0 11235 1134D 11442 11446 116B6 11C3F 1D165-1D166
    1D16D-1D172 1E000-1E006 1E008-1E018 1E01B-1E021 1E023-1E024 1E026-1E02A 1E944-1E94A
"""
# ASCII symbols and every P category: each character is a separate word.
_PUNCTUATION = """
    21-2F 3A-40 5B-60 7B-7E A1 A7 AB B6-B7 BB BF 37E 387 55A-55F 589-58A 5BE 5C0 5C3 5C6 5F3-5F4 609-60A 60C-60D 61B
    61E-61F 66A-66D 6D4 700-70D 7F7-7F9 830-83E 85E 964-965 970 AF0 DF4 E4F E5A-E5B F04-F12 F14 F3A-F3D F85 FD0-FD4
    FD9-FDA 104A-104F 10FB 1360-1368 1400 166D-166E 169B-169C 16EB-16ED 1735-1736 17D4-17D6 17D8-17DA 1800-180A
    1944-1945 1A1E-1A1F 1AA0-1AA6 1AA8-1AAD 1B5A-1B60 1BFC-1BFF 1C3B-1C3F 1C7E-1C7F 1CC0-1CC7 1CD3 2010-2027
    2030-2043 2045-2051 2053-205E 207D-207E 208D-208E 2308-230B 2329-232A 2768-2775 27C5-27C6 27E6-27EF 2983-2998
    29D8-29DB 29FC-29FD 2CF9-2CFC 2CFE-2CFF 2D70 2E00-2E2E 2E30-2E42 3001-3003 3008-3011 3014-301F 3030 303D 30A0
    30FB A4FE-A4FF A60D-A60F A673 A67E A6F2-A6F7 A874-A877 A8CE-A8CF A8F8-A8FA A8FC A92E-A92F A95F A9C1-A9CD
    A9DE-A9DF AA5C-AA5F AADE-AADF AAF0-AAF1 ABEB FD3E-FD3F FE10-FE19 FE30-FE52 FE54-FE61 FE63 FE68 FE6A-FE6B
    FF01-FF03 FF05-FF0A FF0C-FF0F FF1A-FF1B FF1F-FF20 FF3B-FF3D FF3F FF5B FF5D FF5F-FF65 10100-10102 1039F 103D0
    1056F 10857 1091F 1093F 10A50-10A58 10A7F 10AF0-10AF6 10B39-10B3F 10B99-10B9C 11047-1104D 110BB-110BC
    110BE-110C1 11140-11143 11174-11175 111C5-111C9 111CD 111DB 111DD-111DF 11238-1123D 112A9 114C6 115C1-115D7
    11641-11643 1173C-1173E 12470-12474 16A6E-16A6F 16AF5 16B37-16B3B 16B44 1BC9F 1DA87-1DA8B
"""
# Unicode's White_Space, as Rust strips it; Python's also includes four control characters
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_SPACE = "9 A D 20 A0 1680 2000-200A 2028-2029 202F 205F 3000"
# Google's fifth range is 2B820-2CEAF. The reference's typo is kept; Google's vocabularies hold none of these.
_CJK = "3400-4DBF 4E00-9FFF F900-FAFF 20000-2A6DF 2A700-2B81F 2B920-2CEAF 2F800-2FA1F"
# The reference lower-cases by Unicode 17.0. (first, last, distance to the lower-case letter) for capitals newer than
# Unicode 13.0 (Python 3.10).
_NEW_CAPITALS = [
    (0x1C89, 0x1C89, 1),
    (0x2C2F, 0x2C2F, 0x30),
    (0xA7C0, 0xA7C0, 1),
    (0xA7CB, 0xA7CB, -0xA567),
    (0xA7CC, 0xA7CC, 1),
    (0xA7CE, 0xA7CE, 1),
    (0xA7D0, 0xA7D0, 1),
    (0xA7D2, 0xA7D2, 1),
    (0xA7D4, 0xA7D4, 1),
    (0xA7D6, 0xA7D6, 1),
    (0xA7D8, 0xA7D8, 1),
    (0xA7DA, 0xA7DA, 1),
    (0xA7DC, 0xA7DC, -0xA641),
    (0x10570, 0x1057A, 0x27),
    (0x1057C, 0x1058A, 0x27),
    (0x1058C, 0x10592, 0x27),
    (0x10594, 0x10595, 0x27),
    (0x10D50, 0x10D65, 0x20),
    (0x16EA0, 0x16EB8, 0x1B),
]
_NEW_LOWER = {chr(c): chr(c + shift) for first, last, shift in _NEW_CAPITALS for c in range(first, last + 1)}


def regex_class(ranges: str) -> str:
    """The content of a regular expression's [...] for hexadecimal ranges."""
    ends = (r.partition("-") for r in ranges.split())
    return "".join(f"\\U{int(first, 16):08x}-\\U{int(last or first, 16):08x}" for first, _, last in ends)


_KIND = re.compile(
    "|".join(
        f"(?P<{name}>[{regex_class(ranges)}])"
        for name, ranges in [
            ("control", _CONTROL),
            ("space", _SPACE),
            ("cjk", _CJK),
            ("mark", _MARK),
            ("moving", _MOVING),
        ]
    )
)
_CHUNK = re.compile(f"[^{regex_class(_SPACE)}]+")
_WORD = re.compile(f"[{regex_class(_PUNCTUATION)}]|[^ {regex_class(_PUNCTUATION)}]+")
_PARTS_WORDS = re.compile(f"[\\s{regex_class(_PUNCTUATION + _CJK)}]")
# White space for str.split(), but control characters for BERT.
_ONLY_PYTHON_SPACE = re.compile("[\x0b\x0c\x1c-\x1f\x85]")


class _Kinds(dict):
    """Cache of the kind of every character."""

    def __missing__(self, char):
        found = _KIND.match(char)
        self[char] = kind = found and found.lastgroup
        return kind


_KINDS = _Kinds()


_PLAIN = re.compile("[!-Z^-~\\\\]+").fullmatch  # ASCII without space, control characters and brackets
_PLAIN_WORD = re.compile("[0-9A-Za-z]+|[!-~]")  # in ASCII all other characters are punctuation


def parts_words(chars: str) -> bool:
    """Whether one of these characters is white space or a word by itself."""
    return _PARTS_WORDS.search(chars) is not None


def chunks(text: str) -> list[str]:
    """A text split at BERT's white space; no rule of normalisation crosses it."""
    # the fastest check: the only white space in printable text is the space
    return _CHUNK.findall(text) if not text.isprintable() and _ONLY_PYTHON_SPACE.search(text) else text.split()


def is_plain(chunk: str) -> bool:
    """Whether a chunk is ASCII that normalisation can only lower-case and that cannot contain a special token."""
    return chunk.isascii() and _PLAIN(chunk) is not None


def plain_words(chunk: str) -> list[str]:
    """The words of a plain chunk."""
    return [chunk] if chunk.isalnum() else _PLAIN_WORD.findall(chunk)


def chunk_starts(text: str) -> list[int]:
    """The start of each of `chunks(text)`."""
    return [found.start() for found in _CHUNK.finditer(text)]


def is_space(char: str) -> bool:
    return _KINDS[char] == "space"


def lower(char: str) -> str:
    """The lower case of one character, possibly several characters. Out of context, so there is no final sigma."""
    return _NEW_LOWER.get(char) or char.lower()


def words(normal: str, source: Sequence[int]) -> list[tuple[str, Sequence[int]]]:
    """(word, source) of each word of a normalised text; source[i] is the source index of word[i]."""
    return [(found.group(), source[found.start() : found.end()]) for found in _WORD.finditer(normal)]


class BasicTokenizer:
    """Normalises text with the three settings of a BERT checkpoint."""

    def __init__(self, lower_case: bool, strip_accents: bool, chinese_chars: bool):
        self.lower_case = lower_case
        self.strip_accents = strip_accents
        self.chinese_chars = chinese_chars

    def normalise(self, text: str) -> tuple[str, Sequence[int]]:
        """(normalised text, source index of each of its characters)."""
        if text.isascii() and text.isprintable():  # most chunks; only lower-casing applies to them
            return text.lower() if self.lower_case else text, range(len(text))
        chars, source = self._clean(text)
        if self.strip_accents:
            chars, source = _strip_accents(chars, source)
        if self.lower_case:
            chars, source = _lower(chars, source)
        return "".join(chars), source

    def _clean(self, text):
        chars, source = [], []
        for i, char in enumerate(text):
            kind = _KINDS[char]
            if kind == "cjk" and self.chinese_chars:
                chars += (" ", char, " ")
                source += (i, i, i)
            elif kind != "control":
                chars.append(" " if kind == "space" else char)
                source.append(i)
        return chars, source


def _strip_accents(chars, source):
    if not unicodedata.is_normalized("NFD", "".join(chars)):
        chars, source = _decompose(chars, source)
    others = [(char, i) for char, i in zip(chars, source, strict=True) if _KINDS[char] != "mark"]
    return [char for char, _ in others], [i for _, i in others]


def _decompose(chars, source):
    """Canonical decomposition (NFD).

    If marks are reordered, the reference assigns source indices by position, not by character: after sorting, every
    character that was not inserted by a decomposition gets the next index.
    """
    parts = []  # (combining class, character, whether a decomposition inserted it)
    for char in chars:
        for k, part in enumerate(unicodedata.normalize("NFD", char)):
            place = unicodedata.combining(part) if _KINDS[part] in ("mark", "moving") else 0
            parts.append((place, part, k > 0))
    out, places, at = [], [], -1
    for is_mark, run in itertools.groupby(parts, key=lambda part: part[0] > 0):
        for _, char, inserted in sorted(run, key=lambda part: part[0]) if is_mark else run:
            at += not inserted
            out.append(char)
            places.append(source[at])
    return out, places


def _lower(chars, source):
    lowered = [lower(char) for char in chars]
    return lowered, [i for low, i in zip(lowered, source, strict=True) for _ in low]
