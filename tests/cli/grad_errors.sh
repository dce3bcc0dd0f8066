# Mistakes: what, where, and what to do.
try() { echo "\$ $*"; "$GRADTOOL" "$@" 2>&1; echo "status $?"; }
try grad
try grad x=2
try grad 'x^2 + yy' x=2 y=3
try grad 'x^2 + y' x=2
try grad 'sine(x)' x=2
try grad 'x + ' x=2
try grad x x=2 z=3
try grad x x=2 x=3
try grad x 'x=[1, [2]]'
try grad x 'x=[1, 2'
try grad x x=two
try grad '[1, 2] + x' 'x=[1, 2, 3]'
try grad 'x*2' 'x=[1, 2, 3]'
try grad 'f(x)' 'x=[1, 2]' --define "f(a) = a*'2'"
try grad 'x*2' 'x=[1, 2, 3]' --vjp '[1, 2]'
try grad 'x*2' 'x=[1, 2, 3]' --hessian
try grad 'x^2' x=1 --hook z=grad
try grad 'x^2' x=1 --hook 'x=[grad, grad]'
try grad 'x^2' x=1 --hook 'x=grrad'
try grad 'x^2' x=1 --derivative 'x'
try grad 'x^2' x=1 --order 9
try grad 'x^2' x=1 --graph picture.bmp
try grad 'x^2' x=1 --graph - --json
try grad 'x^2' x=1 --graph nowhere/graph.dot
PATH=/nowhere try grad 'x^2' x=1 --graph graph.svg
ls
