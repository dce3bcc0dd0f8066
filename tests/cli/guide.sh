# Every command of the guide prints what the guide says. Some train, so this is a folder of their own.
cp -R "$ROOT/configs" "$ROOT/models" .
mkdir -p tests/data && cp -R "$ROOT/tests/data/foreign" tests/data
sh "$ROOT/tools/check_guide.sh" "$ROOT/docs/guide.md"
