# What number formats would lose of a run's gradients: all steps, one step, as a document; and what a log must have for it.
mkdir run float16 plain
head='{"event":"run","format":1,"name":"two","parameters":[{"name":"a.weight","layer":"a","shape":[8]},{"name":"b.weight","layer":"b","shape":[4]}],"layers":[{"name":"a","type":"linear","output":[1]}]}'
cat >run/log.jsonl <<END
$head
{"event":"histogram","step":1,"of":"gradients","name":"a.weight","zeros":1,"nonfinite":0,"exponents":[-28,1,0,0,2,0,0,0,0,0,0,0,0,0,0,0,4]}
{"event":"histogram","step":1,"of":"gradients","name":"b.weight","zeros":0,"nonfinite":0,"exponents":[-9,4]}
{"event":"step","step":1,"loss":1,"scale":1}
{"event":"histogram","step":50,"of":"gradients","name":"a.weight","zeros":0,"nonfinite":2,"exponents":[-28,3,0,0,2,0,0,0,0,0,0,0,0,0,0,0,1]}
{"event":"histogram","step":50,"of":"gradients","name":"b.weight","zeros":0,"nonfinite":0,"exponents":[15,1,3]}
{"event":"step","step":50,"loss":1,"scale":1}
END
$GRADTOOL inspect run --precision
$GRADTOOL inspect run --precision --step 1 --color always | head -7
$GRADTOOL inspect run --precision --json --step 50 | sed -n '/"all"/,/"bf16"/p'

sed 's/"scale":1}/"scale":65536}/' run/log.jsonl >float16/log.jsonl
echo '{"precision": {"type": "float16"}}' >float16/config.json
$GRADTOOL inspect float16 --precision --step 1 | sed -n 3p
sed '$s/65536/131072/' float16/log.jsonl >longer && mv longer float16/log.jsonl
$GRADTOOL inspect float16 --precision | sed -n 3p
$GRADTOOL inspect float16 --precision --json | grep '"trained_in"'

echo "$head" >plain/log.jsonl
for words in 'plain --precision' 'run --precision --step 7' 'run --precision --step 51' 'run --precision --step 0' \
    'run --step 1' 'run --precision --values' 'mlp.json --precision' 'tests --precision' 'run --precision --set seed=2'; do
    $GRADTOOL inspect $words
    echo "$words: status $?"
done
$GRADTOOL train tiny.json -q -o trained
$GRADTOOL inspect trained --precision | sed -n 's/  *[0-9].*//; /^fc/p' | sort -u
