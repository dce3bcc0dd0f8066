# How gradients will flow, from the initial weights: in one step of a config, and in the log of its run, which say the same.
cat >deep.json <<'EOF'
{"name": "deep", "seed": 2, "model": {"input": [4], "layers": [
  {"type": "linear", "name": "fc1", "out": 6}, {"type": "relu"},
  {"type": "linear", "name": "fc2", "out": 6}, {"type": "relu"},
  {"type": "linear", "name": "fc3", "out": 6}, {"type": "relu"},
  {"type": "linear", "name": "head", "out": 2}]},
 "data": {"type": "noise", "samples": 64, "features": 4, "classes": 2}, "loss": "cross_entropy",
 "train": {"steps": 5, "batch_size": 32}, "output": {"plots": false}}
EOF
ls >../before
$GRADTOOL inspect deep.json --prediction | tee ../config
ls | cmp - ../before && echo "nothing written"
$GRADTOOL inspect deep.json --prediction --set 'model.layers[1].type="tanh"' | sed -n '/^fc/s/  *[0-9].*//p'
$GRADTOOL inspect deep.json --prediction --json >../document
sed -n '1,/"fan_in"/p' ../document | sed 's/\([0-9][.][0-9]\)[0-9]*/\1/'
$GRADTOOL train deep.json -q -o run
$GRADTOOL inspect run --prediction | tail -n +2 >../run
tail -n +2 ../config | cmp - ../run && echo "the run says the same"
rm ../before ../config ../document ../run

printf '%s' '{"model": {"input": [4, 2], "layers": [{"type": "lstm", "name": "cell", "hidden": 4, "return": "last"}, {"type": "linear", "out": 2}]},
 "data": {"type": "inline", "inputs": [[[1, 2], [3, 4], [5, 6], [7, 8]]], "targets": [0]}, "loss": "cross_entropy", "train": {"steps": 1}}' >cell.json
$GRADTOOL inspect cell.json --prediction
$GRADTOOL inspect cell.json --prediction --json | sed -n '/supported/p; /reason/p; /flow_ratio/p'
$GRADTOOL train cell.json -q -o cell --set output.plots=false
for words in 'inspect mlp.json --prediction' 'inspect run --prediction --set seed=2' 'inspect run --prediction --precision' \
    'inspect deep.json --prediction --values' 'inspect nowhere.json --prediction' 'plot cell --only prediction'; do
    $GRADTOOL $words
    echo "$words: status $?"
done
