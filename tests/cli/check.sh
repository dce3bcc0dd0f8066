# A config is trained and judged: 0 healthy, 1 sick; so is the run that it left; the verdict is the same, and kept in the folder.
$GRADTOOL check tiny.json --out fine -q --select 'nonfinite-*' >text
echo "healthy: $?"
sed 's/, max.*//' text
$GRADTOOL check tiny.json --out sick -q --select 'nonfinite-*' --set clip=null --set 'optimizer={"type":"sgd","lr":1e38}' >text
echo "sick: $?"
grep -c '^error\[nonfinite-' text
tail -n 1 text | cut -d ' ' -f 1-3
ls sick/findings.json
for run in fine sick; do
    $GRADTOOL check $run -q --select 'nonfinite-*' --json >$run.json
    echo "$run again: $?"
    sed -n 's/^  "verdict": //p' $run.json
    cmp $run.json $run/findings.json
done
# Never: sick, but status 0. A rule that is off finds nothing.
$GRADTOOL check sick -q --select 'nonfinite-*' --fail-on never --json | grep '^  "verdict"'
$GRADTOOL check sick -q --fail-on never >out && echo "never: $?"
$GRADTOOL check sick -q --ignore '*' 2>err
echo "all ignored: $?"
cat err
# A folder of runs is all of them.
mkdir runs && mv fine sick runs
$GRADTOOL check runs -q --select 'nonfinite-*' -f concise | sed 's/: error nonfinite.*/: error/'
$GRADTOOL check runs -q --select 'nonfinite-*' --json | grep -c '"path"'
$GRADTOOL check runs -q --select 'nonfinite-*' --statistics | sed -n '$p'
# Without its data a run is judged by its log.
sed 's/"type": "spiral"/"type": "csv", "path": "gone.csv"/; s/"classes": 3, //; s/"noise": 0.1, //; s/"samples": 60, //' runs/fine/config.json >c && mv c runs/fine/config.json
$GRADTOOL check runs/fine --select 'nonfinite-*' -f concise 2>err
echo "no data: $?"
grep -c 'rules that need the config or its data are left out' err
# A training without --out leaves nothing behind.
mkdir temporary
TMPDIR=$PWD/temporary $GRADTOOL check tiny.json --select 'nonfinite-*' -f concise
ls -A temporary
