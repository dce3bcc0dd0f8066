sed 's/mlp.json/nowhere.json/' tiny.json >bad.json
$GRADTOOL train bad.json
