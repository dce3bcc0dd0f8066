# Values and gradients, as text and as JSON.
say() { echo "\$ $*"; "$GRADTOOL" "$@" || echo "status $?"; }
say grad 'x^2 + y^3' x=2 y=3
say grad 'x^2 + y^3' x=2 y=3 --json
say grad -x^2 x=3
say grad -x x=3 --json
say grad 'x^3 - 4*x + 2' x=3 --json
say grad 'x^2' 'x^2' x=1 --accumulate --json
say grad 'x^2' 'y*x' x=1 y=2
say grad 'detach(x*3)*2' x=1 --json
say grad 'no_grad(x*2)' x=1 --json
say grad 'where(x > 0, 1, 2)' x=1
say grad 'x*2' 'x=[1, 2, 3]' --vjp '[1, 0.5, 0]' --json
say grad 'x^4' x=2 --order 3 --json
say grad 'x*y' 'x=[1, 2]' 'y=[3, 4]' --jacobian --json
say grad 'sum(x^2)*y' 'x=[1, 2]' y=3 --hessian --json
say grad 'W@x' 'W=[[1, 2], [3, 4], [5, 6]]' 'x=[1, -1]' --vjp '[1, 0, 0]'
say grad 'sum(x^2)' 'x=[1, -2]' --hook 'x=clamp(grad, -1, 1)' --hook 'x=grad*2' --json
say grad 'detach(x)*y' x=1 y=2 --hook x=grad*2
say grad 'x*y + z^2' 'x=[[1, 2], [3, 4]]' 'y=[10, 0.001]' z=2 --vjp '[[1, 1], [1, 1]]'
say grad '1 + 2'
