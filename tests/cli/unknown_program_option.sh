$GRADTOOL --versoin
