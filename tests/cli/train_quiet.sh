$GRADTOOL train tiny.json --quiet
