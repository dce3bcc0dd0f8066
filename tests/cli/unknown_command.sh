$GRADTOOL trian tiny.json
