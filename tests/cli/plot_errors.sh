$GRADTOOL train tiny.json -q -o run
for words in 'nowhere' '.' 'run --only los' 'run --format pdf' 'run --format svgg,png'; do
    $GRADTOOL plot $words
    echo "$words: status $?"
done
