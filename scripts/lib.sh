# Functions for the other scripts. Sourced, not run.
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

# build_preset PRESET [TARGET...]: configure it and build all of it, or these targets, in build/PRESET.
build_preset() {
    local preset=$1
    shift
    local launcher=()
    if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
    say "configure and build: $preset"
    cmake --preset "$preset" "${launcher[@]}"
    cmake --build --preset "$preset" -j "$jobs" ${1:+--target "$@"}
}
