# Threads change no bit.
$GRADTOOL train tiny.json -q -o one && $GRADTOOL train tiny.json -q -o two --threads 2
cmp one/model.safetensors two/model.safetensors && echo same
