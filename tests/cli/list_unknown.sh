$GRADTOOL list layer
