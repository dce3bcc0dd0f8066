$GRADTOOL inspect mlp.json | sed 's/workspace .*/workspace N/; s/^[0-9]* flops/N flops/'
$GRADTOOL inspect mlp.json --batch 32 | tail -n 1 | sed 's/^[0-9,]* flops/N flops/'
$GRADTOOL inspect mlp.json --json | sed 's/\("workspace"\): [0-9]*/\1: N/; s/\("flops"\): [0-9]*/\1: N/'
