# The keys of the JSON, the instruments that were asked for, and nothing written.
masked() { sed 's/: [0-9][0-9.e+-]*/: N/g; s/"kernel": "[a-z0-9_]*"/"kernel": K/'; }
$GRADTOOL bench tiny.json --seconds 0.05 --json | masked
$GRADTOOL bench tiny.json --seconds 0.05 --json --instruments gradients,updates --threads 2 | grep '"threads"\|"instruments"'
$GRADTOOL bench tiny.json --seconds 0.05 --json --instruments all | grep -c histograms
$GRADTOOL bench tiny.json --seconds 0.05 | sed 's/ [0-9][0-9.,e+-]*/ N/g; s/kernel [a-z0-9_]*/kernel K/'
$GRADTOOL bench tiny.json --seconds 0.05 --profile | sed -n '2,$p' | grep -c 'us .*%  *[0-9]* x  [a-z]' | sed 's/[1-9][0-9]*/many/'
ls
