$GRADTOOL train nowhere.json
