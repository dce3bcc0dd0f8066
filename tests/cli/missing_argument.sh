$GRADTOOL train --quiet
