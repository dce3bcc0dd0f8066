$GRADTOOL train tiny.json -q -o run
find run | sort >before
$GRADTOOL inspect run | sed -n '1,2p; /^gradients/p' | sed 's/[0-9][0-9]*[.][0-9]*/N/g'
$GRADTOOL inspect run --json | sed -n '/"run"/,/}/p' | sed 's/[0-9][0-9]*[.][0-9]*/N/g'
find run | sort | cmp before -
