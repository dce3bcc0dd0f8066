# Logs of other tools: each is read, what is sick is found, what has no gradients is left out of a folder and an error alone.
cp -R "$ROOT/tests/data/foreign" logs
$GRADTOOL check logs --select 'nonfinite-*,loss-hides-nan,vanishing-gradient,no-gradient-path' -f concise
echo "folder: $?"
$GRADTOOL check logs/keras.csv
echo "no gradients: $?"
# A flipped bit costs its record, and is told; a torn tail is the end of a log that is still written.
events=$(echo logs/pytorch-healthy/events*)
printf 'x' | dd of="$events" bs=1 seek=300 conv=notrunc 2>/dev/null
printf '\020\000\000' >>"$events"
$GRADTOOL check logs/pytorch-healthy --select vanishing-gradient -f concise
echo "a bad record: $?"
# Names that are not known, and the order that a table has lost.
printf 'step,g,cost\n0,1,2\n1,nan,1\n' >other.csv
$GRADTOOL check other.csv --map grad_norm=g --map loss=cost --select nonfinite-backward -f concise
echo "mapped: $?"
$GRADTOOL check other.csv --map grad_norm=h
echo "mapped to nothing: $?"
printf 'first\nsecond\n' >order
printf 'step,grad_norm/second,grad_norm/first\n0,1,1e-9\n1,1,1e-9\n2,1,1e-9\n' >layers.csv
$GRADTOOL check layers.csv --layers order --ascii --select vanishing-gradient | grep -E '^  (first|second)'
