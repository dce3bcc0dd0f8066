#!/bin/sh
# Runs `gradtool check` on every config of configs/zoo with five seeds and scores what it says against the labels: docs/zoo.md.
#
#   tools/zoo.sh [NAME...] [OPTION...]        NAME: of configs/zoo/NAME.json; all without one
#
# The options are those of tools/zoo.py, which scores (Python): --write fills the tables of docs/zoo.md, --compare adds the
# rules of other tools. GRADTOOL (build/release/gradtool), JOBS (2), SEEDS (5), OUT (build/zoo: runs and results.json).
# Exit status 1 where the targets are missed.
set -eu
unset OPENBLAS_CORETYPE # would force a kernel on OpenBLAS
cd "$(dirname "$0")/.."

export GRADTOOL="${GRADTOOL:-build/release/gradtool}"
export OUT="${OUT:-build/zoo}"

names=
for argument in "$@"; do
    case $argument in
    -*) ;;
    *) names="$names $argument" ;;
    esac
done
if [ -z "$names" ]; then
    names=$(find configs/zoo -maxdepth 1 -name '*.json' ! -name labels.json -exec basename {} .json \; | sort)
fi

rm -rf "$OUT"
mkdir -p "$OUT"
for name in $names; do
    seed=1
    while [ "$seed" -le "${SEEDS:-5}" ]; do
        echo "$name $seed"
        seed=$((seed + 1))
    done
done >"$OUT/jobs"

# shellcheck disable=SC2016 # expanded by the shell of each job
xargs -P "${JOBS:-2}" -L 1 sh -c '
    folder=$OUT/$1-$2
    mkdir "$folder"
    status=0
    "$GRADTOOL" check "configs/zoo/$1.json" --json --threads 1 --set "seed=$2" --set output.plots=false --out "$folder/run" \
        >"$folder/check.json" 2>"$folder/messages" || status=$?
    echo "$status" >"$folder/status"' sh <"$OUT/jobs"

exec python3 tools/zoo.py --out "$OUT" "$@"
