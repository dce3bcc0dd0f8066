# A parameter that the loss does not reach has no gradient; values of a gradient that is known by hand:
# the loss is the mean of w x + b, so dL/dw is the mean of x and dL/db is 1.
cat >mean.json <<'END'
{"model": {"input": [2], "layers": [{"type": "block", "name": "stem", "freeze": true, "layers": [{"type": "linear", "name": "fixed", "out": 2, "init": "ones"}]},
  {"type": "linear", "name": "fc", "out": 1}]},
 "data": {"type": "inline", "inputs": [[1, 2], [3, 6]], "targets": [0, 0]},
 "loss": "mean_output", "train": {"steps": 1, "batch_size": 2, "shuffle": false}, "clip": {"type": "value", "limit": 0.5}}
END
$GRADTOOL inspect mean.json --set 'model.layers[0].layers[0].bias=false' | sed -n '/^parameter/,$p'
$GRADTOOL inspect mean.json --set 'model.layers[0].layers[0].bias=false' --json | sed -n '/"gradients": \[/,$p'
