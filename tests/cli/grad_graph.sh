# The backward graph as a tree, as Graphviz's language, and through a program `dot`, which stands in here.
$GRADTOOL grad '2*x*sin(y) + x^2' x=2 y=0.5 --graph -
$GRADTOOL grad 'detach(x)*sum(w)' x=2 'w=[1, 2, 3, 4, 5, 6, 7]' --graph graph.dot
cat graph.dot
mkdir bin
printf '#!/bin/sh\necho "<svg>$*"; wc -l; echo "</svg>"\n' >bin/dot
chmod +x bin/dot
PATH=$PWD/bin:$PATH $GRADTOOL grad 'x^2' x=1 --graph graph.svg
sed 's/^ *//' graph.svg
printf '#!/bin/sh\nexit 3\n' >bin/dot
PATH=$PWD/bin:$PATH $GRADTOOL grad 'x^2' x=1 --graph other.svg 2>&1
echo "status $?"
ls
