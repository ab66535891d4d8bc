"""What the checks of form read: the project's files, and C++ text without its comments and strings."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CPP = (".cpp", ".hpp")
# Laid over sources of others, in their style; and the samples of what the checks must find.
NOT_OURS = ("subprojects/", "tests/habits/samples/")

_TOKENS = re.compile(
    r"""
      (?P<comment> //[^\n]* | /\*.*?\*/ )
    | (?P<raw>     \bR"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)" )
    | (?P<include> ^[ \t]*\#[ \t]*include[^\n]* )
    | (?P<string>  "(?:\\.|[^"\\\n])*" )
    | (?P<letter>  (?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+' )
    """,
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?P<name>"[^"\n]+"|<[^>\n]+>)', re.MULTILINE)


def project_files(root=ROOT):
    """Paths relative to root, sorted: what git tracks or would track; outside a checkout all files."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        names = [name.decode() for name in listed.stdout.split(b"\0") if name]
    else:
        names = [str(path.relative_to(root)) for path in root.rglob("*") if ".git" not in path.parts]
    kept = (name for name in names if not name.startswith(NOT_OURS))
    return sorted(name for name in kept if (root / name).is_file())


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def code_of(text):
    """The C++ text with comments and the insides of literals blanked; line numbers and columns stay."""

    def replace(match):
        if match["comment"] is not None:
            return _blank(match[0])
        if match["include"] is not None:
            return match[0].split("//")[0].ljust(len(match[0]))
        return '"' + _blank(match[0])[2:] + '"'

    return _TOKENS.sub(replace, text)


def comments_of(text):
    """Only the comments of a C++ text, each on its line; what stands between them is blanked."""
    kept = []
    end = 0
    for match in _TOKENS.finditer(text):
        if match["comment"] is not None:
            kept.append(_blank(text[end : match.start()]))
            kept.append(match[0])
            end = match.end()
    kept.append(_blank(text[end:]))
    return "".join(kept)


def includes_of(text):
    """(line, name) of each include of a C++ text, the name with its quotes or brackets."""
    code = code_of(text)
    return [(code.count("\n", 0, match.start("name")) + 1, match["name"]) for match in INCLUDE.finditer(code)]
