# The first value that is not finite is named on standard error, and its reproducer is told of; with `skip` the run goes on.
cat >zero.json <<'EOF'
{"name": "zero", "seed": 1,
 "model": {"input": [1], "layers": [
   {"type": "linear", "name": "fc1", "out": 1, "init": "ones", "bias": false},
   {"type": "function", "name": "f", "expr": "log(x)"}]},
 "data": {"type": "inline", "inputs": [[1], [2], [0], [4]], "targets": [[0], [0], [0], [1]]},
 "loss": "mse", "train": {"epochs": 2, "batch_size": 2, "shuffle": false}, "output": {"plots": false}}
EOF
$GRADTOOL train zero.json -o run >out
echo "status $?"
ls run/nonfinite/step-2
$GRADTOOL train run/nonfinite/step-2/config.json -o again >out
echo "status $?"
$GRADTOOL train zero.json -q --set train.nonfinite=skip -o skipped >out
echo "status $?"
grep -c '"event":"nonfinite"' skipped/log.jsonl
