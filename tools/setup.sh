#!/bin/sh
# Installs what gradtool is built from and runs with, on Debian and Ubuntu.
#
#   tools/setup.sh          to build and run
#   tools/setup.sh test     to run the tests as well
#
# Asks nothing. As root, or as a user who may use sudo. Where everything is there already, apt-get is not called.
set -eu

packages="gcc libc6-dev make pkg-config libopenblas-dev libcjson-dev libpng-dev zlib1g-dev libedit-dev gnuplot-nox"
case "${1:-}" in
    '') ;;
    test) packages="$packages libcmocka-dev" ;;
    *)
        echo "usage: tools/setup.sh [test]" >&2
        exit 2
        ;;
esac

fail() {
    echo "setup: $1" >&2
    exit 2
}

is_installed() {
    dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^ii'
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    fail "no apt-get here; install by hand a C compiler, make, pkg-config, gnuplot, and the development files of OpenBLAS, cJSON, libpng, zlib${1:+ and cmocka}"
fi

missing=
for package in $packages; do
    is_installed "$package" || missing="$missing $package"
done
if [ -z "$missing" ]; then
    echo "setup: everything is installed"
    exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "not root, and there is no sudo; ask an administrator for:$missing"
    as_root=sudo
    if ! sudo -n true 2>/dev/null && [ ! -t 0 ]; then
        fail "sudo wants a password, and there is no terminal to ask on; ask an administrator for:$missing"
    fi
fi

run_apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@"
}

echo "setup: installing$missing"
run_apt update || fail "apt-get update failed; see above"
# shellcheck disable=SC2086 # a list of words
run_apt install --no-install-recommends $missing || fail "apt-get install failed; see above"
