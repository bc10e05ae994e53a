"""Checks that the tree is the architecture: who includes whom in src/ and cli/, and which calls the library may not make.

    python3 tests/check_layers.py [FOLDER]

Run by ctest. Prints every finding with its file and line; exit status 1 when there is one.
"""
import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()

# The tree of docs/architecture.md, from the top down, and the table that says which modules each one includes.
TREE_LINE = re.compile(r"^ {4}src/(\w+)/ ", re.M)
TABLE_LINE = re.compile(r"^\| (\w+) \| [^|]* \| ([\w, –]+) \|$", re.M)

# The library never prints or ends the process; the rest overruns, or hides an error.
BANNED = ["printf", "fprintf", "vprintf", "vfprintf", "puts", "fputs", "putchar", "perror", "exit", "_exit", "abort",
          "strcpy", "strcat", "sprintf", "vsprintf", "gets", "strtok", "atoi", "atol", "atof", "rand", "srand", "system",
          "popen", "alloca"]
BANNED_CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
FORMAT_ATTRIBUTE = re.compile(r"__attribute__\(\(.*?\)\)")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

findings = []


def found(path, text, at, what):
    findings.append(f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, at) + 1}: {what}")


def blank(match):
    """The same number of lines and characters, without what they say."""
    return re.sub(r"[^\n]", " ", match[0])


def check_includes(path, text, allowed):
    """allowed: folders whose headers this file may name."""
    own = path.relative_to(ROOT).parts[1] if path.is_relative_to(ROOT / "src") else "cli"
    for match in INCLUDE.finditer(text):
        header = match[1]
        folder = header.split("/")[0] if "/" in header else own
        if folder not in allowed:
            found(path, text, match.start(), f'includes "{header}", which docs/architecture.md does not give to {own}')
        elif "_internal.h" in header and folder != own:
            found(path, text, match.start(), f'includes "{header}", which is the inside of {folder}')
        elif own != "cli" and "/" not in header:
            found(path, text, match.start(), f'includes "{header}" without its folder')


def check_calls(path, text):
    code = FORMAT_ATTRIBUTE.sub(blank, COMMENT_OR_STRING.sub(blank, text))
    for match in BANNED_CALL.finditer(code):
        found(path, text, match.start(), f"calls {match[1]}()")


def sources(folder):
    return sorted(path for path in (ROOT / folder).rglob("*.[ch]"))


def read_architecture():
    """Module -> the modules it may include. The tree, the table and the folders of src/ agree, and nobody includes upwards."""
    path = ROOT / "docs" / "architecture.md"
    text = path.read_text(encoding="utf-8")
    tree = TREE_LINE.findall(text)
    uses = {module: [] if words == "–" else words.split(", ") for module, words in TABLE_LINE.findall(text)
            if module != "module"}
    folders = {folder.name for folder in (ROOT / "src").iterdir() if folder.is_dir()}
    for name, modules in (("tree", tree), ("table", list(uses))):
        for module in sorted(folders ^ set(modules)):
            found(path, text, 0, f"src/{module}/ is {'not ' if module in folders else 'still '}in the {name}")
    for module, others in uses.items():
        for other in others:
            if module in tree and other not in tree[tree.index(module) + 1:]:
                found(path, text, text.index(f"| {module} |"), f"{module} includes {other}, which is not below it in the tree")
    return uses


def check_unused(module, uses, text_of):
    """A line of the table that nothing needs any more would let something else in."""
    for other in uses:
        if not any(f'"{other}/' in text for text in text_of):
            findings.append(f"docs/architecture.md: {module} no longer includes {other}")


def main():
    count = 0
    for module, uses in read_architecture().items():
        texts = {path: path.read_text(encoding="utf-8") for path in sources(f"src/{module}")}
        for path, text in texts.items():
            check_includes(path, text, ["weir", module, *uses])
            check_calls(path, text)
        check_unused(module, uses, texts.values())
        count += len(texts)
    for path in [*sources("cli"), *sources("include/weir"), *sources("examples")]:
        check_includes(path, path.read_text(encoding="utf-8"), ["weir", "cli"])
        count += 1
    for finding in findings:
        print(finding)
    print(f"{count} files looked at, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
