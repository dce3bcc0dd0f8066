# What --resume says: of runs that are finished, damaged, of another model, or none at all.
$GRADTOOL train tiny.json -q -o run --set train.checkpoint_every=4
echo "--- finished"
$GRADTOOL train --resume run/ | sed 's/ in .*//'
echo "--- more steps"
$GRADTOOL train --resume run --set train.epochs=6 --json >out 2>err
cat err out | sed -n '1p; s/.*"\(steps\|checkpoint\)"/"\1"/p'
echo "--- damaged"
printf x >>run/checkpoints/step-18/optimizer.safetensors
sed -i '$d' run/log.jsonl
$GRADTOOL train --resume run >out 2>err
head -n 2 err
echo "--- nothing whole"
rm run/checkpoints/*/model.safetensors
sed -i '$d' run/log.jsonl
$GRADTOOL train --resume run >out 2>err
head -n 2 err
echo "--- another model"
$GRADTOOL train tiny.json --resume run --set train.epochs=9 --set 'optimizer={"type":"sgd"}'
echo "status $?"
echo "--- no run"
$GRADTOOL train --resume absent
echo "status $?"
mkdir empty
$GRADTOOL train --resume empty
echo "status $?"
$GRADTOOL train tiny.json --resume run --out other
echo "status $?"
$GRADTOOL train tiny.json --out run
echo "status $?"
echo "--- being trained"
$GRADTOOL train tiny.json -q --set train.epochs=100000000 --set monitor.every=1000 -o live &
pid=$!
while ! grep -qs '"step":10,' live/log.jsonl; do sleep 0.05; done
$GRADTOOL train --resume live
echo "status $?"
kill -INT $pid
wait $pid
echo "status $?"
