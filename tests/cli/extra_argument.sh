$GRADTOOL plot a b
