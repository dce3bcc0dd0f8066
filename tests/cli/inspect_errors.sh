mkdir empty
echo '{"a": 1}' >other.json
echo 'a,b' >table.csv
for subject in nowhere.json nowhere.safetensors empty other.json table.csv; do
    $GRADTOOL inspect $subject
    echo "$subject: status $?"
done
