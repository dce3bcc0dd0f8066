# Closed streams: no file that is opened may take the place of standard output.
$GRADTOOL list layers >&-
echo "status $?"
$GRADTOOL train tiny.json -q -o a >&-
echo "status $?"
$GRADTOOL train tiny.json --json -o b >&- 2>&-
echo "status $?"
grep -vc '^{"event"' b/log.jsonl
$GRADTOOL train tiny.json -o c 2>&- | tail -n 1
