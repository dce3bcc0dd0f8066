# Mistakes in different parts, and in different files, are told at once.
sed 's/"lr": 0.01/"lr": -1/; s/"spiral"/"spirl"/; s/"max_norm": 0.1/"max_norm": 0/' tiny.json >bad.json
sed -i 's/"tanh"/"tahn"/' mlp.json
$GRADTOOL train bad.json
status=$?
[ ! -e runs ] || echo "a run folder was left behind"
exit $status
