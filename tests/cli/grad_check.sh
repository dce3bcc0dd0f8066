# Against central differences: agreement, kinks, and mistakes in a derivative of the user's own.
say() { echo "\$ $*"; "$GRADTOOL" "$@" | sed 's/[0-9.]*e-[0-9]*/E/g;s/0\.0e+00/E/g'; }
status() { "$GRADTOOL" "$@" >/dev/null 2>&1; echo "status $?"; }
say grad 'sin(x)*y' x=1 'y=2' --check
say grad 'abs(x)' x=0 --check
status grad 'abs(x)' x=0 --check
say grad 'sum(relu(x))' 'x=[-1, 0, 1]' --check
say grad 'f(x)' x=2 --define 'f(t) = t^2 = 3*t' --check
status grad 'f(x)' x=2 --define 'f(t) = t^2 = 3*t' --check
status grad 'f(3*x)' x=2 --define 'f(t) = t^2 = 2*t' --check
status grad 'f(3*x)' x=2 --define 'f(t) = t^2 = grad*2*t' --check
status grad 'f(3*x)' x=2 --define 'f(t) = t^2' --derivative t --check
status grad 'x*detach(x)' x=2 --check --order 2
