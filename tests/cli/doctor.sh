# A line an item, with what helps where something is amiss; always status 0. What it says depends on the machine.
$GRADTOOL doctor --ascii | sed 's/^[okwarn]*  *//; /^ *= help/d; /^$/,$d' | sed 's/^\([a-z]*\)  *..*/\1: something/'
PATH=/nonexistent $GRADTOOL doctor --ascii | grep -A 1 '^warn gnuplot'
PATH=/nonexistent $GRADTOOL doctor --ascii --color always | sed -n '/ gnuplot /p'
LC_ALL=de_DE.UTF-8 LC_NUMERIC=de_DE.UTF-8 $GRADTOOL doctor --ascii | sed -n 's/.*numbers C/numbers C/p'
echo x >runs
$GRADTOOL doctor --ascii | grep -A 1 '^warn runs'
rm runs
mkdir runs
$GRADTOOL doctor --ascii | grep '^[a-z]*  *runs'
$GRADTOOL doctor --json >document
grep -c '"status": "\(ok\|warn\)"' document
sed -n 's/^  "warnings": [0-9]*$/warnings/p' document
# Kernels of narrower instructions than the processor has are a warning, whoever chose them.
if grep -q '"kernels": "avx512"' document; then
    OPENBLAS_CORETYPE=Haswell $GRADTOOL doctor --ascii
else
    echo "             = help: OPENBLAS_CORETYPE=Haswell makes"
fi | grep -o 'help: OPENBLAS_CORETYPE=Haswell makes'
$GRADTOOL doctor operand
echo "status $?"
