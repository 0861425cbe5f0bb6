#!/usr/bin/env python3
"""Checks the rules of the source tree that no compiler checks.

usage: check_tree.py [ROOT]   prints one line per finding; exit status 1 when there is any.

  folders    only the folders that ARCHITECTURE names stand at the root
  include    node -> cluster -> proto, never back; client and cli never reach cluster, not even indirectly;
             private headers are written from the root, public ones as <muster/x.hpp>
  order      a room includes only rooms that stand before it in ROOMS; node/ sees of cluster/ only its face
  library    only proto/codec.cpp and proto/json.cpp know msgpack, only node/ knows ZeroMQ
  public     public headers show the standard library and other public headers, no wire type
  pure       cluster/ has no clock, randomness, thread, lock, socket, log or unordered container
  function   no function is longer than 70 lines
  line       no line is longer than 120 columns
  paths      the simulator's list of what a batch must exercise names every counter of cluster/
  guide      OPERATING.md explains each counter of cluster/ and node/; each counter that it explains is a literal there,
             so that one search for its name finds its code
  pages      links in pages lead to a file, and to a heading that exists; README is at most 8 KB
  leftover   nothing is marked as to be done, and no path of somebody's machine is mentioned
"""

import pathlib
import posixpath
import re
import sys

ROOT_FOLDERS = {"node", "proto", "cluster", "tests", "scripts", ".ci", "build"}
SOURCE_FOLDERS = ["node", "proto", "cluster", "tests", "scripts", ".ci"]
CODE = {".cpp", ".hpp", ".h"}
TEXT = CODE | {".py", ".sh", ".cmake", ".txt", ".md", ".toml", ".yml", ".json", ".in", ""}
MAX_FUNCTION = 70
MAX_LINE = 120

# Which folders a file of a folder may include from; the longest matching prefix decides.
MAY_INCLUDE = {
    "proto": ["proto"],
    "cluster": ["cluster", "proto"],
    "node": ["node", "cluster", "proto"],
    "node/client": ["node", "proto"],
    "node/cli": ["node", "proto"],
    "node/keys": ["node/keys", "proto"],
    "tests": ["tests", "node", "cluster", "proto"],
    "tests/unit/proto": ["tests/unit/proto", "proto"],
    "tests/unit/cluster": ["tests", "cluster", "proto"],
    "tests/sim": ["tests", "cluster", "proto"],
}
# The rooms in the order in which they may include: each only itself and those in earlier rows. The longest matching
# prefix decides; a prefix that does not end with / names files.
ROOMS = [
    ["proto/"],
    ["cluster/"],  # the face: what goes in and out of the core, and what all parts share with its users
    ["cluster/base/"],
    ["cluster/membership/", "cluster/tables/"],
    ["cluster/replication/"],
    ["cluster/workers/"],
    ["cluster/delivery/"],
    ["cluster/core"],
    ["node/io/"],
    ["node/keys/"],
    ["node/admission/"],
    ["node/handlers/"],
    ["node/sockets/"],
    ["node/engine/"],
    ["node/"],
    ["node/client/"],
    ["node/daemon/", "node/cli/", "node/examples/"],
]
RANKS = {prefix: rank for rank, row in enumerate(ROOMS) for prefix in row}
# The headers of cluster/ that node/ may include: those that stand directly in it but for the core's inside.
FACE = re.compile(r"cluster/(?!core_)\w+\.hpp")
NEVER_REACH_CLUSTER = ["node/client/", "node/cli/"]
ZMQ_FOLDERS = ["node/", "tests/integration/", "tests/bench/", "tests/unit/node/"]
PROTO_LIBRARIES = {"msgpack.hpp", "nlohmann/json.hpp"}
MSGPACK_FILES = {"proto/bundle.cpp", "proto/codec.cpp", "proto/json.cpp"}

IMPURE = [r"::now\s*\(", r"random_device", r"\bstd::j?thread\b", r"\bmutex\b", r"condition_variable", r"\bzmq\b",
          r"\bspdlog\b", r"\biostream\b", r"\bfstream\b", r"std::(cout|cerr|clog)\b", r"system_clock", r"steady_clock",
          r"high_resolution_clock", r"\bunordered_", r"\bs?rand\s*\(", r"\bgetenv\b"]
WIRE = [r"\bzmq\b", r"\bmsgpack::", r"\bproto::", r"\bcluster::", r"\bnlohmann\b"]
LEFTOVER = ["TO" + "DO", "FIX" + "ME", "X" * 3, "/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/"]

COUNTER = re.compile(r'\bcount\("([a-z_]+)"')
SHOWN = re.compile(r'\bcounters\["([a-z_]+)"\] *=')
PATHS_LIST = "tests/sim/coverage.cpp"
GUIDE = "node/OPERATING.md"
METRICS_LIST = "node/daemon/counter_metrics.cpp"
README_BYTES = 8192
LINK = re.compile(r"\]\(([^)\s]+)\)")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def room_of(name):
    """The row's prefix in ROOMS that a file belongs to; None outside of the rooms. Public headers belong to no room."""
    if "/include/muster/" in name:
        return None
    return max((prefix for prefix in RANKS if name.startswith(prefix)), key=len, default=None)


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.findings = []
        self.files = {}
        for folder in SOURCE_FOLDERS:
            for path in sorted((self.root / folder).rglob("*")):
                if path.is_file() and path.suffix in TEXT and "__pycache__" not in path.parts:
                    self.files[path.relative_to(self.root).as_posix()] = path.read_text(errors="replace")
        for path in sorted(self.root.iterdir()):
            if path.is_file() and path.suffix in TEXT and not path.name.startswith("."):
                self.files[path.name] = path.read_text(errors="replace")
        self.code = {name: text for name, text in self.files.items() if pathlib.Path(name).suffix in CODE}
        self.bare = {name: without_comments_and_texts(text) for name, text in self.code.items()}

    def find(self, rule, name, line, text):
        where = f"{name}:{line}" if line else name
        self.findings.append((rule, f"{where}: {rule}: {text}"))

    def check(self):
        self.check_folders()
        for name in self.code:
            self.check_includes(name)
            self.check_libraries(name)
            self.check_functions(name)
            if "/include/muster/" in name:
                self.check_public(name)
            if name.startswith("cluster/"):
                self.check_words(name, "pure", IMPURE)
        self.check_reach()
        self.check_paths()
        self.check_guide()
        for name, text in self.files.items():
            if name.endswith(".md"):
                self.check_page(name, text)
            self.check_lines(name, text)
        return self.findings

    def check_folders(self):
        for path in sorted(self.root.iterdir()):
            if path.is_dir() and path.name not in ROOT_FOLDERS and (not path.name.startswith(".")):
                self.find("folders", path.name, 0, "no such folder belongs at the root")

    def resolve(self, kind, target):
        """The path from the root of an include of this project, or None."""
        if kind == '"':
            return target if target in self.code else None
        for folder in ("proto/include", "node/include", "node/client/include"):
            if target.startswith("muster/") and f"{folder}/{target}" in self.code:
                return f"{folder}/{target}"
        return None

    def includes(self, name):
        for match in INCLUDE.finditer(self.code[name]):
            line = self.code[name].count("\n", 0, match.start(2)) + 1
            yield line, match.group(1), match.group(2)

    def check_includes(self, name):
        if name.startswith("tests/integration/package/"):
            return  # a project of its own, outside
        owner = max((f for f in MAY_INCLUDE if name.startswith(f + "/")), key=len, default=None)
        for line, kind, target in self.includes(name):
            path = self.resolve(kind, target)
            if path is None:
                if kind == '"':
                    self.find("include", name, line, f'"{target}" is no file of the tree: write it from the root')
                elif target.startswith("muster/"):
                    self.find("include", name, line, f"<{target}> is no public header")
                elif owner in ("proto", "cluster") and ("/" in target or "." in target):
                    if owner == "cluster" or target not in PROTO_LIBRARIES:
                        self.find("include", name, line, f"{owner}/ does not know <{target}>")
                continue
            if kind == '"' and "/include/muster/" in path:
                self.find("include", name, line, "public headers are included as <muster/x.hpp>")
            if owner and not any(path.startswith(f + "/") for f in MAY_INCLUDE[owner]):
                self.find("include", name, line, f"{owner}/ must not include {path}")
                continue
            self.check_order(name, line, path)

    def check_order(self, name, line, path):
        room, other = room_of(name), room_of(path)
        if not room or not other or room == other:
            return
        if RANKS[other] >= RANKS[room]:
            self.find("order", name, line, f"{room} must not include {path}: {other} does not stand before it")
        elif name.startswith("node/") and path.startswith("cluster/") and not FACE.fullmatch(path):
            self.find("order", name, line, f"{path} is inside cluster/: node/ includes only its face")

    def check_reach(self):
        for start in self.code:
            if not any(start.startswith(folder) for folder in NEVER_REACH_CLUSTER):
                continue
            seen, todo = {start: None}, [start]
            while todo:
                name = todo.pop()
                for _, kind, target in self.includes(name):
                    path = self.resolve(kind, target)
                    if path and path not in seen:
                        seen[path] = name
                        todo.append(path)
            reached = sorted(path for path in seen if path.startswith("cluster/"))
            if reached:
                self.find("include", start, 0, f"reaches {reached[0]} through {seen[reached[0]]}")

    def check_paths(self):
        listed = self.code.get(PATHS_LIST, "")
        for name in self.code:
            if not name.startswith("cluster/"):
                continue
            for match in COUNTER.finditer(self.code[name]):
                if f'"{match.group(1)}"' not in listed:
                    line = self.code[name].count("\n", 0, match.start()) + 1
                    self.find("paths", name, line, f"'{match.group(1)}' is not in {PATHS_LIST}")

    def check_guide(self):
        guide = self.files.get(GUIDE, "")
        for name in self.code:
            counters = COUNTER if name.startswith("cluster/") else SHOWN if name.startswith("node/") else None
            for match in counters.finditer(self.code[name]) if counters else ():
                if f"`{match.group(1)}`" not in guide:
                    line = self.code[name].count("\n", 0, match.start()) + 1
                    self.find("guide", name, line, f"'{match.group(1)}' is not explained in {GUIDE}")
        _, _, tables = guide.partition("\n## Every counter\n")
        tables, _, _ = tables.partition("\n## ")
        counting = [text for name, text in self.code.items()
                    if name.startswith(("cluster/", "node/")) and name != METRICS_LIST]
        for cell in re.findall(r"^\| (`[^|]*`) \|", tables, re.MULTILINE):
            for counter in re.findall(r"`(\w+)`", cell):
                if not any(f'"{counter}"' in text for text in counting):
                    self.find("guide", GUIDE, 0, f"no code counts '{counter}'")

    def check_libraries(self, name):
        for line, _, target in self.includes(name):
            if re.match(r"msgpack\b", target) and name not in MSGPACK_FILES:
                self.find("library", name, line, f"only {' and '.join(sorted(MSGPACK_FILES))} know msgpack")
            if re.match(r"zmq", target) and not any(name.startswith(folder) for folder in ZMQ_FOLDERS):
                self.find("library", name, line, "only node/ knows ZeroMQ")

    def check_public(self, name):
        for line, kind, target in self.includes(name):
            if kind == '"' or (("/" in target or "." in target) and not target.startswith("muster/")):
                self.find("public", name, line, f"a public header includes {target}")
        self.check_words(name, "public", WIRE)

    def check_words(self, name, rule, patterns):
        for number, line in enumerate(self.bare[name].splitlines(), 1):
            for pattern in patterns:
                match = re.search(pattern, line)
                if match:
                    self.find(rule, name, number, f"'{match.group()}' does not belong here")

    def check_functions(self, name):
        for first, last in functions(self.bare[name]):
            if last - first + 1 > MAX_FUNCTION:
                self.find("function", name, first, f"{last - first + 1} lines; at most {MAX_FUNCTION}")

    def check_page(self, name, text):
        if name == "README.md" and len(text.encode()) > README_BYTES:
            self.find("pages", name, 0, f"{len(text.encode())} bytes; at most {README_BYTES}")
        for match in LINK.finditer(text):
            path, _, anchor = match.group(1).partition("#")
            if ":" in path:
                continue  # on another host
            page = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
            if not (self.root / page).exists() or (anchor and anchor not in anchors(self.files.get(page, ""))):
                line = text.count("\n", 0, match.start()) + 1
                self.find("pages", name, line, f"{match.group(1)} leads nowhere")

    def check_lines(self, name, text):
        code = pathlib.Path(name).suffix in CODE | {".py", ".sh", ".cmake", ""} or name.endswith("CMakeLists.txt")
        for number, line in enumerate(text.splitlines(), 1):
            if code and len(line) > MAX_LINE and name != "LICENSE":
                self.find("line", name, number, f"{len(line)} columns; at most {MAX_LINE}")
            for word in LEFTOVER:
                if word in line:
                    self.find("leftover", name, number, f"'{word}'")


def anchors(markdown):
    """The names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|(?:u8|[uUL])?R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'
                   r"(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.DOTALL)


def without_comments_and_texts(text):
    """The code alone, with every line still in its place. Include lines keep their target."""

    def blank(match):
        lines = "\n" * match.group().count("\n")
        before = text[text.rfind("\n", 0, match.start()) + 1:match.start()]
        if match.group().startswith('"') and re.match(r"\s*#\s*include", before):
            return match.group()
        return lines if match.group().startswith("/") else '""' + lines

    return TOKEN.sub(blank, text)


def without_template_heads(text):
    while True:
        match = re.search(r"\btemplate\s*<", text)
        if not match:
            return text
        depth, end = 1, match.end()
        while depth and end < len(text):
            depth += {"<": 1, ">": -1}.get(text[end], 0)
            end += 1
        text = text[:match.start()] + text[end:]


def kind_of_brace(before):
    """What a brace opens at namespace or class level, by the text since the last statement."""
    if re.search(r"[\w>\]]$", before):  # a_{1}: a body has a blank before its brace
        return "init"
    before = without_template_heads(before).strip()
    if re.search(r"\bnamespace\b", before) or re.match(r'extern\s+""$', before):
        return "scope"
    if re.search(r"(^|[\s:])(class|struct|union|enum)\s", before) and not before.endswith(")"):
        return "scope"
    if before.endswith("=") or not re.search(r"[)\]]", before):
        return "data"
    return "function"


def functions(bare):
    """First and last line of every outermost function body."""
    bare = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: "\n" * m.group().count("\n"), bare, flags=re.MULTILINE)
    stack, found, line, since = [], [], 1, ""  # since: the text since the last statement
    for char in bare:
        if char == "\n":
            line += 1
        if char == "{":
            inside = any(kind != "scope" for kind, _, _ in stack)
            stack.append(("inner" if inside else kind_of_brace(since), line, since))
            since = ""
        elif char == "}" and stack:
            kind, first, before = stack.pop()
            if kind == "function":
                found.append((first, line))
            since = before + " " if kind == "init" else ""
        elif char == ";":
            since = ""
        else:
            since += char
    return found


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[3]
    findings = Tree(root).check()
    for _, text in findings:
        print(text)
    print(f"{len(findings)} finding(s)" if findings else "the tree is in order")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
