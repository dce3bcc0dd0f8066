# Without a command, and with --help, the overview; every command of commands.def is in it.
$GRADTOOL >bare
echo "status $?"
$GRADTOOL --help >long && cmp bare long
$GRADTOOL -h >short && cmp bare short
$GRADTOOL help >word && cmp bare word
sed -n 1,3p bare
for name in $(sed -n 's/^COMMAND(\(.*\))$/\1/p' "$ROOT/src/cli/commands.def"); do
    grep -q "^  $name  *[a-z]" bare || echo "$name is missing"
done
