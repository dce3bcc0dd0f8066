# Colour is for who asks for it.
escape=$(printf '\033')
$GRADTOOL train tiny.json -o a 2>/dev/null | grep -c "$escape"
$GRADTOOL train tiny.json -o b --color always 2>/dev/null | grep -c "$escape"
FORCE_COLOR=1 $GRADTOOL train tiny.json -o c 2>/dev/null | grep -c "$escape"
FORCE_COLOR=1 NO_COLOR=1 $GRADTOOL train tiny.json -o d 2>/dev/null | grep -c "$escape"
FORCE_COLOR=1 $GRADTOOL train tiny.json -o e --color never 2>/dev/null | grep -c "$escape"
true
