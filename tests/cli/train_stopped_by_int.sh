# The step is finished, the end event written, the exit status that of the signal.
$GRADTOOL train tiny.json -q --set train.epochs=100000000 --set monitor.every=1000 -o run &
pid=$!
while ! grep -qs '"step":10,' run/log.jsonl; do sleep 0.05; done
kill -INT $pid
wait $pid
echo "status $?"
tail -n 1 run/log.jsonl | sed 's/"step":[0-9]*,"seconds":.*}/"step":N,"seconds":N}/'
grep -vc '^{.*}$' run/log.jsonl
ls run
