# Every line of the log is an object, steps are counted without a gap, and the events of a step are all there.
$GRADTOOL train tiny.json -q -o run
grep -vc '^{"event":"[a-z_]*".*}$' run/log.jsonl
sed -n 's/^{"event":"step","step":\([0-9]*\),.*/\1/p' run/log.jsonl >steps
seq 1 15 | cmp - steps && echo "15 steps"
sed 's/^{"event":"\([a-z_]*\)".*/\1/' run/log.jsonl | sort | uniq -c | sed 's/^ *//'
