# A run folder that cannot be made.
$GRADTOOL train tiny.json --out tiny.json/run
