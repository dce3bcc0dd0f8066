# What cannot be checked is exit status 2, with what could be reported first; never is it healthy.
try() {
    $GRADTOOL check "$@" >out
    echo "[exit status $?, $(wc -l <out | tr -d ' ') lines]" >&2
}
$GRADTOOL train tiny.json -o run -q
mkdir empty
echo '{"hello": 1}' >other.json
echo '{"model": 1' >broken.json
sed 's/"clip"/"rules": {"gradient-drif": "off", "gradient-drift": {"severity": "fatal", "decade": 1}}, "clip"/' tiny.json >rules.json
try
try nothing
try empty
try other.json
try broken.json
try rules.json
try run --select no-such-rule
try run --select gradient-drift
try run --select gradient-drift --ignore gradient-drift
try run --threshold gradient-drift.decade=1
try run --threshold gradient-drift
try run --fail-on warn
try run --format xml
try run -f json,text
try run -f json -o a -o b
try run --set optimizer.lr=1
try run run --out both
try run --annotate nothing.json
try run --baseline nothing
try run --baseline other.json
try run --select nonfinite-forward -o no/such/folder/file
try run --select nonfinite-forward --write-baseline no/such/folder/file
# One of two: what can be read is reported, and the status is 2 all the same.
$GRADTOOL check run nothing --select nonfinite-forward -f concise -q
echo "$?"
$GRADTOOL check run nothing --select nonfinite-forward --json -q | grep -E '"(verdict|error)"'
