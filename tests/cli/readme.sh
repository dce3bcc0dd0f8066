# What README.md shows works: its commands in the order they stand there, its lists, and the files that it links to.
cp -R "$ROOT/configs" "$ROOT/models" .
sed -n 's/^\$ gradtool //p' "$ROOT/README.md" >commands
while read -r words; do
    # shellcheck disable=SC2086 # a list of words
    $GRADTOOL $words >out 2>err </dev/null
    case "$? $words" in
    0\ * | 1\ check*) ;; # a check may find something
    *) echo "gradtool $words: failed" && cat err ;;
    esac
    [ -s out ] || echo "gradtool $words: no output"
done <commands
grep -o 'gradtool list [a-z]*' "$ROOT/README.md" | sort -u >lists
while read -r _ _ list; do
    $GRADTOOL list "$list" >out 2>err || echo "gradtool list $list: exit status $?"
done <lists
grep -o '](\([^):]*\))' "$ROOT/README.md" | tr -d '()]' >links
while read -r file; do
    [ -e "$ROOT/$file" ] || echo "no file $file"
done <links
for found in commands lists links; do
    [ -s $found ] || echo "no $found"
done
echo "all of it"
