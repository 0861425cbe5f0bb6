"""Writes each C++ program of a README to a file of its own: readme_programs.py README DIRECTORY [ELSEWHERE].

With ELSEWHERE the addresses in it are taken from the environment: "127.0.0.1:7100" from README_7100.
"""

import pathlib
import re
import sys

readme, directory = (pathlib.Path(argument) for argument in sys.argv[1:3])
programs = re.findall(r"^```cpp\n(.*?)^```", readme.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
if len(programs) < 2:
    sys.exit(f"{readme}: a worker and a node were expected, {len(programs)} program(s) found")
directory.mkdir(parents=True, exist_ok=True)
for number, program in enumerate(programs):
    if len(sys.argv) > 3:
        program = "#include <cstdlib>\n" + re.sub(r'"127\.0\.0\.1:(\d+)"', r'std::getenv("README_\1")', program)
    (directory / f"readme_{number}.cpp").write_text(program, encoding="utf-8")
