#!/bin/sh
# Trains the experiments with known answers (configs/science), prints expected against measured, and draws them: docs/science.md.
#
#   tools/science.sh [NAME...] [--write] [--keep]        see tools/science/__main__.py
#
# Needs Python with NumPy, and gnuplot. Exit status 1 where a quantity is outside its band.
set -eu
unset OPENBLAS_CORETYPE # would force a kernel on OpenBLAS
cd "$(dirname "$0")/.."

exec python3 tools/science "$@"
