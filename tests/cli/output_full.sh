# A result that could not be written is a failure, whatever was done.
[ -e /dev/full ] || { cat "$ROOT/tests/cli/output_full.stdout"; cat "$ROOT/tests/cli/output_full.stderr" >&2; exit; }
for words in 'list layers' '--version' 'train --help' 'inspect mlp.json' 'train tiny.json -q --json'; do
    $GRADTOOL $words >/dev/full
    echo "$words: status $?"
done
