#!/bin/sh
# Runs the commands of docs/guide.md and compares what they print: tools/check_guide.sh PAGE; with UPDATE=1 writes it into the page.
#
# In a block that begins with ```console, a line "$ COMMAND" is followed by its output, standard error included, and, where it
# is not 0, by a line "[exit status N]".
set -eu
page=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$work/bin"
ln -s "$GRADTOOL" "$work/bin/gradtool"
PATH=$work/bin:$PATH
TMPDIR=$work # what `mktemp` in a command makes goes with the rest
export PATH TMPDIR

in_block=
while IFS= read -r line; do
    case $line in
    '```console') in_block=yes ;;
    '```') in_block= ;;
    esac
    case $in_block$line in
    'yes$ '*)
        printf '%s\n' "$line"
        status=0
        sh -c "${line#\$ }" </dev/null 2>&1 || status=$?
        [ "$status" -eq 0 ] || echo "[exit status $status]"
        ;;
    'yes```console') printf '%s\n' "$line" ;;
    yes*) ;;
    *) printf '%s\n' "$line" ;;
    esac
done <"$page" >"$work/page"
if [ -n "${UPDATE:-}" ]; then
    cp "$work/page" "$page"
fi
# Rounding is another one on another processor.
mask() {
    sed 's/[0-9.]*e-[0-9][0-9]*/E/g; s/0\.0e+00/E/g' "$1"
}
mask "$page" >"$work/expected"
mask "$work/page" >"$work/actual"
diff -u "$work/expected" "$work/actual"
