# All mistakes of a line are told at once.
$GRADTOOL train tiny.json --treads 2 -z --frobnicate --json=yes
