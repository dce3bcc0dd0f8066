# A step that is not finite ends the run: exit status 1, a message with the step, and the log tells of it.
$GRADTOOL train tiny.json -q --set clip=null --set 'optimizer={"type":"sgd","lr":1e38}' -o run
echo "status $?"
tail -n 1 run/log.jsonl | sed 's/"seconds":.*}/"seconds":N}/'
