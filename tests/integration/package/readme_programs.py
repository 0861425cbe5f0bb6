"""Writes the C++ programs of some pages to a file each: readme_programs.py DIRECTORY [--elsewhere] PAGE...

The files are readme_0.cpp, readme_1.cpp, ... in the order of the pages. With --elsewhere the programs take their
addresses from the environment: "127.0.0.1:7100" from README_7100.
"""

import pathlib
import re
import sys

directory, *pages = sys.argv[1:]
elsewhere = pages[0] == "--elsewhere"
texts = [pathlib.Path(page).read_text(encoding="utf-8") for page in pages[elsewhere:]]
programs = [re.findall(r"^```cpp\n(.*?)^```", text, re.MULTILINE | re.DOTALL) for text in texts]
if not all(programs):
    sys.exit(f"expected a C++ program in each page, found {list(map(len, programs))}")
pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
for number, program in enumerate(sum(programs, [])):
    if elsewhere:
        program = "#include <cstdlib>\n" + re.sub(r'"127\.0\.0\.1:(\d+)"', r'std::getenv("README_\1")', program)
    pathlib.Path(directory, f"readme_{number}.cpp").write_text(program, encoding="utf-8")
