sed 's/"epochs": 5/"epochs": 5, "steps": 7/' tiny.json >bad.json
$GRADTOOL train bad.json
