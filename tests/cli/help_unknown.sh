$GRADTOOL help trian
