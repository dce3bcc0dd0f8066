#!/bin/sh
# Everything that a change has to pass: the tests, the tests under the address and undefined-behaviour sanitizers, and those
# checks of the source that need no further package. `make lint` does more where clang-tidy and cppcheck are installed.
set -eu
cd "$(dirname "$0")/.."

sh tools/setup.sh test
jobs=$(nproc)

section() {
    echo
    echo "== $*"
}

section "floors and headers"
make -j"$jobs" floors headers
section "make check"
make -j"$jobs" build/release/gradtool
make -j"$jobs" check
section "make check BUILD=asan"
make -j"$jobs" BUILD=asan check
section "all passed"
