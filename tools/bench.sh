#!/bin/sh
# Times configs/bench/*.json with gradtool and with PyTorch, in turn, and prints a Markdown table.
#
#   tools/bench.sh [NAME...]        NAME: of configs/bench/NAME.json; all without one
#
# GRADTOOL (build/release/gradtool), THREADS (1), SECONDS_EACH (3), ROUNDS (2: the best median of so many turns counts),
# BEST=1 (the fastest of eager PyTorch, fused optimizers and torch.compile). Without PyTorch its columns are '-'.
set -eu
unset OPENBLAS_CORETYPE # would force a kernel on OpenBLAS
cd "$(dirname "$0")/.."

gradtool=${GRADTOOL:-build/release/gradtool}
threads=${THREADS:-1}
seconds=${SECONDS_EACH:-3}
rounds=${ROUNDS:-2}
export OMP_NUM_THREADS="$threads" MKL_NUM_THREADS="$threads"

python=
if python3 -c 'import torch, numpy, safetensors' 2>/dev/null; then
    python=python3
fi

# The median of one JSON report on standard input; empty when there is none.
median() {
    sed -n 's/.*"median_us" *: *\([0-9.eE+-]*\).*/\1/p' | head -n 1
}

# Full diagnostics are the four default instruments.
full=gradients,activations,activation_gradients,updates

time_gradtool() { # config instruments
    "$gradtool" bench "$1" --seconds "$seconds" --threads "$threads" --instruments "$2" --json | tr -d '\n' | median
}

time_pytorch() { # config
    if [ -n "$python" ]; then
        "$python" tools/bench_pytorch.py "$1" --seconds "$seconds" --threads "$threads" ${BEST:+--best} 2>/dev/null | median
    fi
}

smaller() { # a b: the smaller of two numbers, either of which may be empty
    printf '%s\n%s\n' "$1" "$2" | grep . | sort -g | head -n 1 || true
}

row() { # name plain full pytorch
    awk -v name="$1" -v plain="$2" -v full="$3" -v torch="$4" 'BEGIN {
        printf "| %s | %s | %s | %s | %s |\n", name, shown(plain), shown(full), shown(torch),
            ((plain > 0 && torch > 0) ? sprintf("%.2f", torch / plain) : "-") }
        function shown(x) { return x == "" ? "-" : sprintf((x < 100) ? "%.1f" : "%.0f", x) }'
}

if [ $# -eq 0 ]; then
    set -- configs/bench/*.json
fi
echo "| name | gradtool us | gradtool full diagnostics us | PyTorch us | PyTorch / gradtool |"
echo "|---|--:|--:|--:|--:|"
status=0
for config in "$@"; do
    [ -e "$config" ] || config=configs/bench/$config.json
    name=$(basename "$config" .json)
    plain='' observed='' torch=''
    for round in $(seq "$rounds"); do
        plain=$(smaller "$plain" "$(time_gradtool "$config" none || true)")
        torch=$(smaller "$torch" "$(time_pytorch "$config" || true)")
        observed=$(smaller "$observed" "$(time_gradtool "$config" "$full" || true)")
    done
    row "$name" "$plain" "$observed" "$torch"
    if [ -z "$plain" ]; then
        echo "bench: gradtool has no time for $config" >&2
        status=1
    fi
done
exit $status
