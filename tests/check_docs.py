"""Checks the tree as a reader meets it: documents, links, scripts, and words that must not be in it.

    python3 tests/check_docs.py [FOLDER]

Run by ctest. Prints every finding with its file and line; exit status 1 when there is one.
"""
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
FIXTURES = ("tests/data/", "examples/support18/", "third_party/")  # other people's text
SELF = "tests/check_docs.py"                                      # names what it looks for

# What tells of one machine rather than of weir, or of unfinished work.
FORBIDDEN = [
    (re.compile(r"/(work|root|home/\w+)/\w"), "a path of one machine"),
    (re.compile(r"/tmp/(?!weir)\w{2}"), "a path of one machine"),
    (re.compile(r"\b(pypi\.org|pythonhosted\.org|registry\.npmjs\.org|deb\.debian\.org|crates\.io|repo1?\.maven)"),
     "the host name of a package registry"),
    (re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), "unfinished work"),
]
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)
HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.M)

findings = []


def found(path, line, text):
    findings.append(f"{path}:{line}: {text}")


def tree_files():
    """Paths relative to ROOT that belong to the tree: what git has or would take, or everything outside build folders."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
    if listed.returncode == 0:
        return sorted(name for name in listed.stdout.splitlines() if (ROOT / name).is_file())
    names = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [f for f in folders if not f.startswith(("build", ".git", ".cache", "__pycache__"))]
        names += [str((Path(folder) / f).relative_to(ROOT)) for f in files]
    return sorted(names)


def text_of(name):
    """The file's text, or None for a binary one."""
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def check_modules(names):
    """A page for each folder of src/ that holds code."""
    modules = sorted({name.split("/")[1] for name in names if name.startswith("src/") and name.endswith(".c")})
    for module in modules:
        if f"docs/{module}.md" not in names:
            found(f"src/{module}", 1, f"has no page docs/{module}.md")


def anchors(text):
    """The anchors that the headings of a Markdown text get, as GitHub makes them."""
    result = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        kept = [c for c in heading if c in " -_" or unicodedata.category(c)[0] in "LN"]
        result.add("".join(kept).replace(" ", "-"))
    return result


def check_links(name, text):
    for match in LINK.finditer(FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), text)):
        target, _, anchor = match[1].partition("#")
        line = text.count("\n", 0, text.find(match[0])) + 1
        if re.match(r"[a-z]+:", target):
            continue
        path = (ROOT / name).parent / target if target else ROOT / name
        if not path.exists():
            found(name, line, f"the link {match[1]} leads nowhere")
        elif anchor and path.suffix == ".md" and anchor not in anchors(path.read_text(encoding="utf-8")):
            found(name, line, f"the link {match[1]} names no heading of {target or name}")


def check_words(name, text):
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, what in FORBIDDEN:
            match = pattern.search(line)
            if match:
                found(name, number, f"{what}: {match[0]}")


def check_script(name, text):
    if text.startswith("#!") and not os.access(ROOT / name, os.X_OK):
        found(name, 1, "begins with #! but is not executable")
    if name.startswith("scripts/") and not text.startswith("#!"):
        found(name, 1, "is in scripts/ but does not begin with #!")


def main():
    names = tree_files()
    check_modules(names)
    for name in names:
        text = text_of(name)
        if text is None or name.startswith(FIXTURES):
            continue
        check_script(name, text)
        if name.endswith(".md"):
            check_links(name, text)
        if name not in (SELF, "LICENSE"):
            check_words(name, text)
        if name.startswith("docs/") and "../shared" in text:
            found(name, 1, "speaks of a folder outside the tree")
    for finding in findings:
        print(finding)
    print(f"{len(names)} files looked at, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
