# Standard output is one JSON document; the loss in it is that of the last step in the log.
$GRADTOOL train tiny.json --json --quiet >out
echo "status $?"
sed 's/\("seconds"\): [0-9.e-]*/\1: N/; s/\("[a-z]*"\): [0-9]*[.][0-9]*/\1: N/g' out
loss=$(sed -n 's/.*"loss": \([0-9.]*\),$/\1/p' out | head -n 1)
grep '"event":"step"' runs/tiny-001/log.jsonl | tail -n 1 | grep -q "\"loss\":$loss," && echo "the same loss"
