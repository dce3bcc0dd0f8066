$GRADTOOL frobnicate
