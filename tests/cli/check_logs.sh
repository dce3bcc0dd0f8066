# Logs of other tools: found, read, judged; one without gradients is never healthy.
cp -R "$ROOT/tests/data/foreign" logs
check() {
    $GRADTOOL check "$@" -f concise --select 'vanishing-gradient,nonfinite-*,loss-hides-nan' >out 2>err
    echo "$?: $(sed -n '$s/ from .*//p' err)"
    sed 's/^\([^:]*: [a-z]* [a-z-]*\).*/\1/' out
}
check logs/pytorch-vanishing
check logs/pytorch-healthy
check logs/huggingface-nan
check logs/huggingface-nan/trainer_state.json
check logs/lightning
check logs/keras.csv
check logs/keras.csv --map grad_norm=loss
check logs/keras.csv logs/pytorch-healthy
# A folder of logs, with a run of ours among them, is all of them; ours is judged with its config.
mkdir several
cp -R logs/pytorch-healthy logs/pytorch-vanishing several
$GRADTOOL train tiny.json -q -o several/ours
check several
$GRADTOOL check several --json -q --select 'vanishing-gradient' | grep -E '"(path|verdict|source)"'
ls several/ours/findings.json several/pytorch-healthy
# The log itself, or the config that it came from, is where findings are shown.
$GRADTOOL check logs/pytorch-vanishing -q --select vanishing-gradient -f github | grep -o 'file=[^,]*,line=[0-9]*'
$GRADTOOL check logs/pytorch-vanishing -q --select vanishing-gradient -f github --annotate mlp.json | grep -o 'file=[^,]*,line=[0-9]*'
# A log is a baseline for others.
$GRADTOOL check logs/pytorch-healthy -q --baseline logs/pytorch-healthy --select gradient-drift -f concise
$GRADTOOL check logs/pytorch-healthy --log-format no-such
echo $?
