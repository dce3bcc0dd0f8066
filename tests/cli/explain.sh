# A rule in full, at any width; every rule that is listed can be explained, as text and as JSON.
$GRADTOOL explain gradient-drift
COLUMNS=60 $GRADTOOL explain gradient-drift | awk 'length > 60 && !/rules/ { print "too long: " $0 }'
$GRADTOOL explain gradient-drift --json | head -n 3
for rule in $($GRADTOOL list rules | awk '{ print $1 }'); do
    $GRADTOOL explain "$rule" >text && $GRADTOOL explain "$rule" --json >json || echo "$rule: status $?"
    for part in severity 'fires when' so try 'false alarms' source; do
        grep -q "^$part  *." text || echo "$rule: no $part"
    done
    grep -q "\"rule\": \"$rule\"" json || echo "$rule: another rule's JSON"
done
$GRADTOOL list rules --json | grep -c '"limits"' >listed
$GRADTOOL list rules | wc -l | tr -d ' ' | cmp - listed
$GRADTOOL explain gradient-drit
echo "$?"
$GRADTOOL explain
echo "$?"
