# The rows of a piped training and its summary; the last two lines of numbers are masked, for kernels differ in the last bit.
$GRADTOOL train tiny.json >out 2>err
echo "status $?"
sed 's/[0-9][0-9.]*e[+-][0-9]*/N/g; s/ [0-9]*[.][0-9]*/ N/g; s/ [0-9]*:[0-9]*/ T/g; s/[0-9]*%/N%/; s/##*/#/; s/  *N/ N/g; s/  *T/ T/; s/  *#/ #/' out
echo ---
sed 's/[0-9]*:[0-9]*$/T/; s/ *[0-9]*%/ N%/; s/ [0-9][0-9]*[.][0-9]*/ N/g; s/[0-9.]*e-[0-9]*/N/g; s/  */ /g' err
ls runs/tiny-001
