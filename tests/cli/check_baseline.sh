# A baseline: known findings do not count, and gradients of another size do.
$GRADTOOL train tiny.json -o one -q
for seed in 2 3; do
    $GRADTOOL train tiny.json -o seeds/$seed -q --set seed=$seed
done
check() {
    $GRADTOOL check "$@" -q --select gradient-drift --fail-on warning -f concise >out
    echo "$?: $(sed 's/.*: warning/warning/; s/ [a-z0-9.]*weight.*//; s/ fc1.*//; s/ head.*//' out)"
}
check one --baseline one
check seeds/2 --baseline one --baseline seeds
check one --baseline seeds
check tiny.json --set optimizer.lr=0.011 --baseline one
check tiny.json --set model.init=ones --baseline one --baseline seeds
# The same from a file.
$GRADTOOL check one seeds -q --fail-on never --write-baseline base.json >out
check one --baseline base.json
check tiny.json --set model.init=ones --baseline base.json
# A sick run is sick once: with itself as the baseline all is known.
$GRADTOOL train tiny.json -o sick -q --set clip=null --set 'optimizer={"type":"sgd","lr":1e38}' 2>out
$GRADTOOL check sick -q --select 'nonfinite-*' --write-baseline sick.json >out
echo "new: $?"
$GRADTOOL check sick -q --select 'nonfinite-*' --baseline sick.json >out
echo "known: $?"
grep -c '(known)' out
tail -n 1 out | grep -o 'healthy\|[0-9]* known'
$GRADTOOL check sick -q --select 'nonfinite-*' --baseline sick --json | grep -E '"(known|root)"'
