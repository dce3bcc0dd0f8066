# An option before and behind its operand, with `=` and as a letter, letters joined, and an operand behind `--`.
$GRADTOOL train tiny.json --out=a --quiet && ls a
$GRADTOOL train -qo b tiny.json && ls b
$GRADTOOL train -q -oc -- tiny.json && ls c
cp tiny.json ./-tiny.json
$GRADTOOL train -qod -- -tiny.json && ls d
