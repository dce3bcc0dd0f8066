#!/bin/sh
# Runs the tests of the command line: tests/run_cli.sh [NAME...], all without one.
#
# Each tests/cli/NAME.sh runs in a fresh folder that holds a copy of tests/cli/files, with $GRADTOOL and $ROOT set. Its output
# must be that of NAME.stdout and NAME.stderr, its exit status that of NAME.status: output is not compared where the file is
# missing, a missing status is 0. UPDATE=1 writes what was seen into those of the files that exist.
set -u
ROOT=$(cd "$(dirname "$0")/.." && pwd)
GRADTOOL=${GRADTOOL:-$ROOT/build/release/gradtool}
LC_ALL=C TERM=dumb
export ROOT GRADTOOL LC_ALL TERM
unset NO_COLOR FORCE_COLOR CLICOLOR_FORCE COLUMNS OPENBLAS_CORETYPE

if [ ! -x "$GRADTOOL" ]; then
    echo "run_cli.sh: there is no $GRADTOOL" >&2
    exit 1
fi
if [ $# -eq 0 ]; then
    for script in "$ROOT"/tests/cli/*.sh; do
        set -- "$@" "$(basename "$script" .sh)"
    done
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

passed=0 failed=0
for name in "$@"; do
    base=$ROOT/tests/cli/$name
    rm -rf "$work/folder"
    mkdir "$work/folder"
    cp -R "$ROOT/tests/cli/files/." "$work/folder"
    (cd "$work/folder" && exec sh "$base.sh") >"$work/stdout" 2>"$work/stderr" </dev/null
    echo $? >"$work/status"
    echo 0 >"$work/zero"
    problem=
    for what in stdout stderr status; do
        expected=$base.$what
        if [ -n "${UPDATE:-}" ] && [ -e "$expected" ]; then
            cp "$work/$what" "$expected"
        fi
        if [ "$what" = status ] && [ ! -e "$expected" ]; then
            expected=$work/zero
        fi
        if [ -e "$expected" ] && ! diff -u "$expected" "$work/$what" >"$work/diff"; then
            problem="$problem${problem:+, }$what"
            sed -n '3,40p' "$work/diff" >>"$work/report"
        fi
    done
    if [ -z "$problem" ]; then
        passed=$((passed + 1))
        continue
    fi
    failed=$((failed + 1))
    echo "FAILED: $name ($problem differs)"
    sed 's/^/    /' "$work/report"
    rm -f "$work/report"
    if [ ! -e "$base.stderr" ] && [ -s "$work/stderr" ]; then
        sed 's/^/    stderr: /' "$work/stderr" | head -n 20
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
