$GRADTOOL inspect "$ROOT/tests/data/tensors.safetensors"
$GRADTOOL inspect "$ROOT/tests/data/tensors.safetensors" --json
cp "$ROOT/tests/data/tensors.safetensors" weights
$GRADTOOL inspect weights | tail -n 1
