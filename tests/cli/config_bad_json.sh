sed 's/"adamw",/"adamw"/' tiny.json >bad.json
$GRADTOOL train bad.json
