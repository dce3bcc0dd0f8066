# Operators, expressions and configs; rounding is masked.
mask() { sed 's/[0-9.]*e-[0-9][0-9]/E/g;s/0\.0e+00/E/g;s/  *$//;s/  */ /g'; }
say() { echo "\$ $*"; "$GRADTOOL" "$@" 2>&1 | mask; "$GRADTOOL" "$@" >/dev/null 2>&1; echo "status $?"; }
$GRADTOOL gradcheck | tail -n 1 | sed 's/^[0-9]* ok/N ok/'
say gradcheck softmax
say gradcheck 'x^2*sin(y)'
say gradcheck 'W@x' 'W=[[1, 2], [3, 4]]' 'x=[1, -1]'
say gradcheck 'relu(x)' x=0
say gradcheck 'f(x)' x=2 --define 'f(t) = t^3 = t^2'
cp -R "$ROOT/configs" "$ROOT/models" .
say gradcheck configs/simple-nn-2-3-1.json
say gradcheck matmull
say gradcheck tiny.json --set model.layrs=1
say gradcheck 'x + y' x=1
cat >wrong.json <<'JSON'
{"name": "wrong", "model": {"input": [2], "layers": [{"type": "linear", "out": 2},
  {"type": "function", "expr": "x^2", "grad": "grad*x"}, {"type": "linear", "out": 1}]},
 "data": {"type": "inline", "inputs": [[1, 2], [3, 4]], "targets": [[1], [2]]}, "loss": "mse", "train": {"steps": 1}}
JSON
$GRADTOOL gradcheck wrong.json --order 1 2>&1 | mask | sed 's/analytic.*/analytic A, numeric N/'
$GRADTOOL gradcheck wrong.json --json >result.json
echo "status $?"
head -n 2 result.json
$GRADTOOL gradcheck exp --json --order 1 | sed 's/"max_abs_error": [^,]*/"max_abs_error": E/;s/"max_rel_error": [^,]*/"max_rel_error": E/;/worst/d'
