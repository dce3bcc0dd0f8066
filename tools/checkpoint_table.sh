#!/bin/sh
# What recomputation costs and saves: a Markdown table of workspace and time of one training step, for 64 layers of 512 and a batch of
# 1024, kept, recomputed in segments, and recomputed as far as a memory limit asks.
#
#     sh tools/checkpoint_table.sh [CONFIG]        GRADTOOL=build/release/gradtool SECONDS_EACH=4
set -eu
gradtool=${GRADTOOL:-build/release/gradtool}
config=${1:-configs/checkpoint.json}
seconds=${SECONDS_EACH:-4}

field() { # NAME: the number of "NAME" in the JSON on standard input
  grep -o "\"$1\": *[0-9.e+]*" | head -n 1 | sed 's/.*: *//'
}

row() { # LABEL, --set ...
  label=$1
  shift
  facts=$("$gradtool" inspect "$config" --json "$@")
  workspace=$(echo "$facts" | field workspace)
  gradients=$(echo "$facts" | field gradients)
  time=$("$gradtool" bench "$config" --seconds "$seconds" --json "$@" | field median_us)
  plain_workspace=${plain_workspace:-$((workspace - gradients))}
  plain_time=${plain_time:-$time}
  awk -v label="$label" -v w="$workspace" -v g="$gradients" -v t="$time" -v w0="$plain_workspace" -v t0="$plain_time" 'BEGIN {
    printf "| %s | %.1f | %.1f | %.2f | %.0f | %.2f |\n", label, g / 1e6, (w - g) / 1e6, (w - g) / w0, t / 1e3, t / t0 }'
}

echo '| body | gradients of weights, MB | activations, MB | of plain | ms a step | of plain |'
echo '|---|--:|--:|--:|--:|--:|'
row '`"checkpoint": false`'
row '`"checkpoint": "sqrt"`' --set 'model.layers[0].checkpoint="sqrt"'
row '`train.memory_limit` 100 MB' --set train.memory_limit=100000000
