# Each command answers --help wherever it stands, with its options and an example, and names itself in `list commands`.
for name in $(sed -n 's/^COMMAND(\(.*\))$/\1/p' "$ROOT/src/cli/commands.def"); do
    $GRADTOOL "$name" --help >long || echo "$name --help: status $?"
    $GRADTOOL "$name" -h >short && cmp long short
    $GRADTOOL "$name" operand --no-such-option --help >anywhere && cmp long anywhere
    $GRADTOOL help "$name" >word && cmp long word
    grep -q "^usage: gradtool $name" long || echo "$name: no usage"
    grep -q '^  -h, --help  *print this help' long || echo "$name: no --help"
    grep -q "^  gradtool $name " long || echo "$name: no example"
    $GRADTOOL list commands | grep -q "^$name " || echo "$name: not listed"
done
$GRADTOOL list --help
