# Runs are numbered; --out on what exists is refused and nothing is touched.
$GRADTOOL train tiny.json -q && $GRADTOOL train tiny.json -q && ls runs
mkdir mine && echo precious >mine/file
$GRADTOOL train tiny.json -q --out mine
status=$?
ls mine
cat mine/file
exit $status
