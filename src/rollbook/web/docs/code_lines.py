"""Code as the pages show it: numbered lines with four kinds of words, without inline styles."""

from __future__ import annotations

from html import escape

from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, String, _TokenType
from pygments.util import ClassNotFound

# The sheet's classes: comment, string or number, key.
_CLASSES = (
    (Comment, "c"),
    (String, "s"),
    (Number, "s"),
    (Keyword, "k"),
    (Name.Tag, "k"),
    (Name.Builtin, "k"),
)
_COMMANDS = frozenset(
    [
        "apt",
        "cd",
        "chmod",
        "cp",
        "createdb",
        "curl",
        "docker",
        "export",
        "git",
        "make",
        "mkdir",
        "node",
        "npm",
        "openssl",
        "pip",
        "printf",
        "psql",
        "python",
        "python3",
        "rollbook",
        "sudo",
        "systemctl",
        "tar",
        "unzip",
        "uv",
        ".venv/bin/rollbook",
    ]
)
_OF_SUFFIX = {".py": "python", ".mjs": "javascript", ".js": "javascript", ".json": "json"}


def language_of(code: str, named: str = "") -> str:
    """The language of a fenced block: the named one, else shell if it begins with a command, else none
    (output)."""
    if named:
        return named
    words = next(iter(code.splitlines()), "").split()
    commands = [word for word in words if "=" not in word]
    return "bash" if commands and commands[0] in _COMMANDS else ""


def language_of_file(path: str) -> str:
    return next((name for suffix, name in _OF_SUFFIX.items() if path.endswith(suffix)), "")


def lines(code: str, language: str) -> str:
    """The lines as HTML, each in an element of its own."""
    return "".join(f'<span class="l">{line}\n</span>' for line in _coloured(code, language))


def _coloured(code: str, language: str) -> list[str]:
    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return [escape(line) for line in code.removesuffix("\n").split("\n")]
    found = [""]
    for kind, text in lexer.get_tokens(code.removesuffix("\n")):
        first, *others = text.split("\n")
        found[-1] += _word(kind, first)
        found += [_word(kind, line) for line in others]
    return found[:-1] if found[-1] == "" else found


def _word(kind: _TokenType, text: str) -> str:
    name = next((name for parent, name in _CLASSES if kind in parent), "")
    return f'<span class="{name}">{escape(text)}</span>' if name and text else escape(text)
