#!/bin/sh
# Checks what `gradtool check` writes for other tools against their own schemas and readers: tools/validate_reports.sh [GRADTOOL].
#
# JUnit: Jenkins' schema (it comes with pytest's sources) and junitparser. SARIF: the OASIS schema (with sarif-om's sources) and
# sarif-tools. Annotations and code quality by tools/validate_reports.py. configs/ci/ by the schemas that check-jsonschema
# carries. Needs Python with venv, and pip for these packages, which stay in build/validators.
set -eu
cd "$(dirname "$0")/.."
gradtool=$(realpath "${1:-build/release/gradtool}")
place=build/validators
if [ ! -e "$place/ready" ]; then
    rm -rf "$place"
    python3 -m venv "$place/venv"
    "$place/venv/bin/pip" install -q check-jsonschema jsonschema junitparser sarif-tools xmlschema
    "$place/venv/bin/pip" download -q --no-deps --no-binary :all: -d "$place" pytest sarif-om
    for archive in "$place"/*.tar.gz; do
        tar -xzf "$archive" -C "$place"
    done
    touch "$place/ready"
fi
"$place/venv/bin/python" tools/validate_reports.py "$gradtool" "$(echo "$place"/pytest-*/testing/example_scripts/junit-10.xsd)" \
    "$(echo "$place"/sarif_om-*/sarif-2.1.0-rtm.4.json)"
"$place/venv/bin/check-jsonschema" --builtin-schema vendor.github-workflows configs/ci/github.yml
"$place/venv/bin/check-jsonschema" --builtin-schema vendor.gitlab-ci configs/ci/gitlab.yml
