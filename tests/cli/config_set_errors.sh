for assignment in optimizer.lrr=0.1 optimizer.lr=fast lr train.batch_size.x=1 'model.layers[7].out=3' train.steps=5 seed=-1; do
    $GRADTOOL train tiny.json --set "$assignment"
    echo "$assignment: status $?"
done
ls
