# A run that is stopped or killed goes on to the same bits; the log differs in its seconds alone.
plain() { grep -v '"event":"\(run\|resume\)"' "$1/log.jsonl" | sed 's/"seconds":[^,}]*//'; }
same() {
    plain "$1" >one
    plain "$2" | cmp - one && cmp "$1/model.safetensors" "$2/model.safetensors" && echo "the same"
}
set -- tiny.json --set train.checkpoint_every=50 --set monitor.every=20
for signal in INT TERM USR1; do
    $GRADTOOL train "$@" --set train.epochs=100000000 -o "by $signal" >/dev/null 2>err &
    pid=$!
    while ! grep -qs '"step":20,' "by $signal/log.jsonl"; do sleep 0.01; done
    kill -$signal $pid
    wait $pid
    echo "status $?"
    sed -n '/^stopped/s/[0-9][0-9]*/N/gp; /^resume/p' err
    tail -n 1 "by $signal/log.jsonl" | sed 's/"step":[0-9]*,"seconds":.*}/"step":N,"seconds":N}/'
    epochs=$(($(tail -n 1 "by $signal/log.jsonl" | sed 's/.*"step":\([0-9]*\),.*/\1/') / 3 + 5))
    $GRADTOOL train --resume "by $signal" -q --set train.epochs=$epochs
    echo "status $?"
    $GRADTOOL train "$@" -q --set train.epochs=$epochs -o straight
    same straight "by $signal"
    rm -r straight
done
set -- "$@" --set train.epochs=200
$GRADTOOL train "$@" -q -o straight
kills=0
while [ $kills -lt 20 ] && ! grep -qs '"event":"end"' killed/log.jsonl; do
    if [ -e killed/config.json ]; then
        $GRADTOOL train --resume killed -q &
    else
        rm -rf killed
        $GRADTOOL train "$@" -q -o killed &
    fi
    pid=$!
    sleep 0.0$((kills % 10))
    kill -KILL $pid 2>kill
    wait $pid 2>kill
    kills=$((kills + 1))
done
$GRADTOOL train --resume killed -q
echo "status $?"
same straight killed
ls killed/checkpoints
