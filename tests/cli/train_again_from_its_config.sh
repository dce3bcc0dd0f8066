# A run's own config gives the same run.
$GRADTOOL train tiny.json -q -o first && $GRADTOOL train first/config.json -q -o second
for run in first second; do sed 's/"seconds":[0-9.e-]*//' $run/log.jsonl >$run.log; done
cmp first.log second.log && cmp first/model.safetensors second/model.safetensors && echo same
