sed 's/"lr"/"learning_rte"/; s/"batch_size"/"batch_sise"/' tiny.json >bad.json
$GRADTOOL train bad.json
status=$?
[ ! -e runs ] || echo "a run folder was left behind"
exit $status
