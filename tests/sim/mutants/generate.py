#!/usr/bin/env python3
"""Writes copies of sources in which the mistakes of a mutants.toml can be switched on at run time.

usage: generate.py MUTANTS.toml SOURCE_ROOT OUTPUT_FOLDER

For every source that is named it writes OUTPUT_FOLDER/<source>, and for those that the simulator must catch
OUTPUT_FOLDER/mutants.inc, one line a mutant. Of a mutant, `original` is replaced by

    (muster::mutant(N) ? (mutated) : (original))                where it is an expression
    { if (muster::mutant(N)) { mutated } else { original } }    where it ends with ;

Blanks and line breaks in `original` stand for any others. It must occur once in the file, or, with `within`, once
in the one place where `within` occurs. Exit status 1 and one line that says what to do when it does not.
"""

import pathlib
import re
import sys
import tomllib

KEYS = {"name", "file", "mistake", "original", "mutated"}
FOR_SIMULATOR = {"caught_as", "within_runs"}
FOR_FUZZER = {"target"}  # known to scripts/fuzz.py
FOR_DEFENCE = {"test", "seen"}  # known to tests/integration/mutants/run.py
CAUGHT_AS = {"unsafe", "stalled", "either"}


class Unusable(Exception):
    pass


def find_once(name, file, text, snippet, what):
    """Start and end of the one place where the snippet stands."""
    places = list(re.finditer(r"\s+".join(re.escape(word) for word in snippet.split()), text))
    if len(places) != 1:
        raise Unusable(f"mutants.toml: {name}: `{what}` occurs {len(places)} times in {file}, not once: "
                       f"write there what the source says now, or more of it")
    return places[0].span()


def place_of(mutant, text):
    name, file = mutant["name"], mutant["file"]
    first, last = 0, len(text)
    if "within" in mutant:
        first, last = find_once(name, file, text, mutant["within"], "within")
    start, end = find_once(name, file, text[first:last], mutant["original"], "original")
    return first + start, first + end


def switched(number, original, mutated):
    mutated = " ".join(mutated.split())  # one line, so that every line of the source keeps its number
    if original.endswith(";"):
        return f"{{ if (::muster::mutant({number})) {{ {mutated} }} else {{ {original} }} }}"
    return f"(::muster::mutant({number}) ? ({mutated}) : ({original}))"


def copy_of(source, text, mutants):
    """The text of a source with all of its mutants."""
    places = sorted((*place_of(mutant, text), number, mutant) for number, mutant in mutants)
    parts, at = [], 0
    for start, end, number, mutant in places:
        if start < at:
            raise Unusable(f"mutants.toml: {mutant['name']}: overlaps another mutant: choose a smaller `original`")
        parts += [text[at:start], switched(number, text[start:end], mutant["mutated"])]
        at = end
    parts.append(text[at:])
    return f'#include "tests/sim/mutants/mutant.hpp"\n#line 1 "{source}"\n' + "".join(parts)


def check(mutant):
    name = mutant.get("name", "a mutant without a name")
    keys = KEYS | next((some for some in (FOR_FUZZER, FOR_DEFENCE) if some & mutant.keys()), FOR_SIMULATOR)
    missing = keys - mutant.keys()
    unknown = mutant.keys() - keys - {"within"} - ({"from_seed"} if keys >= FOR_SIMULATOR else set())
    if missing or unknown:
        raise Unusable(f"mutants.toml: {name}: has no {sorted(missing)}, and {sorted(unknown)} is unknown: "
                       f"write the keys that the top of the file explains")
    if not re.fullmatch(r"(cluster|proto|node)(/\w+)*/\w+\.cpp", mutant["file"]):
        raise Unusable(f"mutants.toml: {name}: file must be a .cpp of the library, not a header: those are compiled "
                       f"into other programs' parts as well")
    if "caught_as" in keys and mutant["caught_as"] not in CAUGHT_AS:
        raise Unusable(f"mutants.toml: {name}: caught_as must be one of {sorted(CAUGHT_AS)}")


def write(path, text):
    if path.exists() and path.read_text() == text:
        return  # nothing to compile anew
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def generate(listed, root, output):
    mutants = list(enumerate(tomllib.loads(listed.read_text())["mutant"], 1))
    by_file, rows = {}, []
    for number, mutant in mutants:
        check(mutant)
        by_file.setdefault(mutant["file"], []).append((number, mutant))
        if "caught_as" not in mutant:
            continue
        rows.append(f'{{{number}, "{mutant["name"]}", "{mutant["mistake"]}", Caught::{mutant["caught_as"]}, '
                    f'{mutant.get("from_seed", 1)}, {mutant["within_runs"]}}},\n')
    for file, those in by_file.items():
        source = root / file
        write(output / file, copy_of(source.as_posix(), source.read_text(), those))
    if rows:
        write(output / "mutants.inc", "".join(rows))


def main():
    listed, root, output = map(pathlib.Path, sys.argv[1:])
    try:
        generate(listed, root, output)
    except (Unusable, tomllib.TOMLDecodeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
