$GRADTOOL --version
$GRADTOOL --version --verbose | sed -n 's/^\([a-z]*\)  *[A-Za-z0-9].*/\1/p'
