# Every parameter's name, size and gradient; nothing is written.
ls >../before
$GRADTOOL inspect tiny.json >../out
ls | cmp - ../before && echo "nothing written"
mask='s/[0-9][0-9.]*e[+-][0-9]*/N/g; s/[0-9][0-9]*[.][0-9]*/N/g; s/-N/N/g; s/\[ N/[N/g; s/workspace.*/workspace N/; s/^[0-9,]* flops/N flops/; s/  */ /g'
sed -n '1,/^data/p' ../out | sed "$mask"
sed -n '/^gradients/p' ../out | sed 's/[0-9][0-9.]*/N/g'
sed -n 's/^\(parameter  *shape  *count\).*/\1/p; s/^\([a-z0-9.]*  *\[[0-9, ]*\]  *[0-9][0-9]*\)  .*/\1/p' ../out
sed -n '/^fc1.weight.grad/,/^head.weight.grad/p' ../out | sed "$mask"
rm ../out ../before
