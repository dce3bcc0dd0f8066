# train.guard: no verdict, a verdict at the end, a stop at an error; the log and findings.json say the same.
train() {
    $GRADTOOL train tiny.json --set clip=null --set output.plots=false "$@" 2>messages
    echo "status $?"
}
train -o healthy | grep -E 'healthy|sick|status'
grep -c '"event":"finding"' healthy/log.jsonl
train -o off --set train.guard=off | grep -E 'healthy|sick|status'
ls off
echo '--- equal units'
train -o sick --set model.init=zeros --set train.epochs=20 | grep -E 'healthy|sick|status' | sed 's/  symmetric-units:.*/  symmetric-units/'
grep '"event":"finding"' sick/log.jsonl | grep -o '"rule":"[a-z-]*","severity":"[a-z]*","root":true'
grep -o '"rule": "[a-z-]*"' sick/findings.json | head -1
tail -1 sick/log.jsonl | grep -o '"status":"[a-z]*"'
echo '--- stopped'
train -o stopped --set 'optimizer.groups=[{"match":"*","lr":0}]' --set train.epochs=400 --set train.guard=stop | grep -E 'status'
sed -n 's/\(stopped by train.guard: [a-z-]*\).*/\1/p' messages
tail -1 stopped/log.jsonl | grep -o '"status":"[a-z]*"'
ls stopped/checkpoints | wc -l
