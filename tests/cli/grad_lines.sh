# Lines from a pipe: values, definitions, derivatives, and mistakes that do not stop the rest.
cat >lines <<'LINES'
# a comment
x = [1, 2]
x
sum(x^2)
y = 2
f(t) = t^3
f(y)
d(f(y), y)
d(d(f(y), y), y)
z = f(y) + 1
z*y
foo
g(t) = t^2 = t
g(3
d(x^2, x)
d(y^2, w)
LINES
$GRADTOOL grad <lines 2>&1
echo "status $?"
printf 'x = 2\nx^2\nquit\nx^3\n' | $GRADTOOL grad --json
printf 'f(t) = t^2 = t\nx=3\nf(x)' | $GRADTOOL grad --check >/dev/null
echo "status $?"
printf '\n# nothing\n' | $GRADTOOL grad
echo "status $?"
