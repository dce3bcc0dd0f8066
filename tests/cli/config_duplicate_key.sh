sed 's/"seed": 1/"seed": 1, "seed": 2/' tiny.json >bad.json
$GRADTOOL train bad.json
