#!/bin/sh
# Checks the building: what a file may include, what it is called, and where memory comes from.
#
# Each file includes only its own floor and the floors below it; nn, optim and data stand side by side and do not include
# each other. File names are unique, so that `#include` and a search find one thing. Only src/base calls malloc and its kin.
set -eu
cd "$(dirname "$0")/.."

find src -name '*.[ch]' -o -name '*.def' | sort | xargs awk '
BEGIN {
    floors = split("base tensor autograd nn,optim,data train monitor diagnose render cli", floor, " ")
    for (i = 1; i <= floors; i++) {
        count = split(floor[i], name, ",")
        for (k = 1; k <= count; k++)
            level[name[k]] = i
    }
}

function report(message)
{
    printf "%s:%d: %s\n", FILENAME, FNR, message
    problems++
}

FNR == 1 {
    split(FILENAME, part, "/")
    own = part[2]
    name_of_file = part[3]
    in_comment = 0
    if (!(own in level))
        report("`" own "` is no floor: " floor_names())
    if (name_of_file in place)
        report("the name is taken by " place[name_of_file])
    place[name_of_file] = FILENAME
}

function floor_names(    i, text)
{
    for (i = floors; i >= 1; i--)
        text = text (text ? " > " : "") floor[i]
    return text
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    split(quoted[2], target, "/")
    if (!(target[1] in level))
        report("\"" quoted[2] "\" names no floor; write #include \"floor/file.h\"")
    else if (level[target[1]] > level[own])
        report(own " includes \"" quoted[2] "\", which stands above it")
    else if (level[target[1]] == level[own] && target[1] != own)
        report(own " includes \"" quoted[2] "\", its neighbour; they do not know each other")
    next
}

# Comments and strings may speak of malloc.
own != "base" {
    line = $0
    gsub(/\\./, "", line)
    gsub(/"[^"]*"/, "", line)
    if (in_comment && sub(/^.*\*\//, "", line))
        in_comment = 0
    if (in_comment)
        next
    gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, "", line)
    if (sub(/\/\*.*/, "", line))
        in_comment = 1
    sub(/\/\/.*/, "", line)
    if (match(line, /(^|[^A-Za-z0-9_])(malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|strdup|strndup|asprintf|free)[ \t]*\(/))
        report("memory outside src/base comes from an arena")
}

END {
    if (problems)
        printf "floors: %d problems\n", problems
    exit problems > 0
}' >&2
