# In a pipe there is no carriage return and no escape, and few rows however long the run.
$GRADTOOL train tiny.json --set train.epochs=1000 --set data.validation=0 >out 2>err
grep -c "$(printf '\r')" out err
grep -c "$(printf '\033')" out err
rows=$(wc -l <err)
[ "$rows" -le 70 ] || echo "$rows rows"
sed -n '3,7s/^ *[0-9]*  *\([0-9]*\) .*/\1/p' err
tail -n 1 err | awk '{ print $1, $2 }'
