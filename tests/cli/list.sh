# Every list has lines, each a name and a help, as text and as JSON.
for what in $($GRADTOOL list | awk '{ print $1 }'); do
    $GRADTOOL list "$what" >text && $GRADTOOL list "$what" --json >json || echo "$what: status $?"
    [ "$(wc -l <text)" -eq "$(grep -o '"name"' json | wc -l)" ] || echo "$what: text and JSON differ"
    awk -v what="$what" 'NF < 2 { print what ": " $1 " has no help" }' text
    [ -s text ] && echo "$what"
done
$GRADTOOL list instruments --json | grep -o '"cost"' | sort -u
$GRADTOOL list commands --json | head -n 2
