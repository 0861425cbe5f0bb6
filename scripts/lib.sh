# Shared by the scripts here; sourced, not run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '== %s\n' "$*"; }
die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 2
}

jobs=$(nproc)

# Everything written in C++, as paths from the root.
cpp_sources() { find proto cluster node tests \( -name '*.cpp' -o -name '*.hpp' \) -print | sort; }

# build_preset PRESET: configure and build it in build/PRESET.
build_preset() {
    local launcher=()
    if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
    say "configure and build: $1"
    cmake --preset "$1" "${launcher[@]}"
    cmake --build --preset "$1" -j "$jobs"
}
