#!/bin/sh
# From a clean clone to pictures: installs what is missing, builds, trains on real handwritten digits, and draws.
set -eu
cd "$(dirname "$0")/.."

sh tools/setup.sh
make -j"$(nproc)"

number=1
while run=$(printf 'runs/demo-%03d' "$number") && [ -e "$run" ]; do
    number=$((number + 1))
done
build/release/gradtool train configs/digits.json --out "$run"

echo
echo "The pictures of this run:"
ls "$run"/plots/*
