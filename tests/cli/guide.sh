# Every command of the guide prints what the guide says. Some train, so this is a folder of their own.
cp -R "$ROOT/configs" "$ROOT/models" .
sh "$ROOT/tools/check_guide.sh" "$ROOT/docs/guide.md"
